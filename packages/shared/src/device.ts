import type { Method, Scope } from "./delegation.ts";

export interface Region {
  /** VFIO region index; BARs are 0–5. */
  index: number;
  /** Bytes. */
  size: number;
}

/** What an exporter can do on this host, as its self-test found it. */
export interface Capability {
  exporter: string;
  works: boolean;
  /** What the self-test saw, or why it does not work, in words for people. */
  detail: string;
  /** The best rung of the revocation ladder that passed. */
  method: Method | null;
  scope: Scope;
}

export interface Device {
  name: string;
  kind: "simulated" | "vfio";
  description: string;
  state: "starting" | "ready" | "lost";
  /** Why it is not ready, in words for people. */
  problem: string | null;
  regions: Region[];
  capability: Capability | null;
  /** The process that holds the device. */
  warden: { pid: number; instance: string; startedAt: number } | null;
}

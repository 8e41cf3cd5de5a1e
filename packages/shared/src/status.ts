import type { Device } from "./device.ts";

export interface Status {
  version: string;
  pid: number;
  uid: number;
  host: string;
  kernel: string;
  bootId: string;
  startedAt: number;
  socket: string;
  stateDirectory: string;
  /** Where /healthz answers; null if that door is shut. */
  url: string | null;
  store: {
    state: "ok" | "refusing";
    /** Why no new grant can be recorded, and what to do. */
    problem: string | null;
    /** Ends that were enforced and could not be written yet. */
    unrecorded: number;
    /** Where a corrupt database was put aside at this start. */
    keptAside: string | null;
  };
  devices: Device[];
  counts: {
    buffers: number;
    lent: number;
    offered: number;
    waiting: number;
    revoking: number;
    unproven: number;
    clients: number;
  };
  limits: Limits;
  /** What a person should know about this agent right now. */
  warnings: string[];
}

export interface Limits {
  connectionsPerUid: number;
  delegationsPerUid: number;
  waitingPerUid: number;
  maxLeaseMs: number;
  reservationsPerUid: number;
  /** How far ahead one may begin. */
  maxAheadMs: number;
  /** Open files that the agent may have. */
  files: number;
}

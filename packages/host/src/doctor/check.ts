import type { Device } from "@lendbuf/shared/device";
import type { Finding } from "@lendbuf/shared/doctor";
import type { HostFiles } from "../host-files.ts";

/** Where a check looks. */
export interface Patient {
  files: HostFiles;
  /** What the agent knows of its devices; null where no agent was asked. */
  devices: readonly Device[] | null;
  /** Why none was. */
  noAgent: string | null;
}

export interface Check {
  name: string;
  look(patient: Patient): Omit<Finding, "check">[];
}

/** Nothing to do about it. */
export function fine(subject: string, seen: string, means: string): Omit<Finding, "check"> {
  return { subject, severity: "ok", seen, means, advice: "Nothing to do.", command: null };
}

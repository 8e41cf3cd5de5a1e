// What the doctor finds on a host: what stands between it and lending real devices.

/** `problem`: real devices, or this one, cannot be lent; `warning`: less can be done than there could be; `note`: worth knowing. */
export const SEVERITIES = ["ok", "note", "warning", "problem"] as const;
export type Severity = (typeof SEVERITIES)[number];

export interface Finding {
  /** Which check found it, for scripts: `kernel`, `iommu`, `module`, `rung`, … */
  check: string;
  /** What it is about: a module, a device, a limit. */
  subject: string;
  severity: Severity;
  /** What was seen. */
  seen: string;
  /** What that means for lending. */
  means: string;
  /** What to do about it, in words. */
  advice: string;
  /** A command that does it, or shows more; null where words are all there is. */
  command: string | null;
}

export interface Diagnosis {
  /** For whom permissions and limits were looked at: the agent where one runs. */
  account: { uid: number; pid: number; isAgent: boolean };
  findings: Finding[];
  /** Findings of the least severity that did not fit into the answer. */
  leftOut: number;
}

/** Something is in the way of lending real devices. */
export function hasProblem({ findings }: Diagnosis): boolean {
  return findings.some(({ severity }) => severity === "problem");
}

/** One line of the append-only, hash-chained audit. */
export interface AuditEntry {
  /** Counts from 1 without gaps. */
  seq: number;
  /** Wall-clock milliseconds. */
  at: number;
  /** Who: `uid:1000 pid:4242`, or `agent`. */
  actor: string;
  /** What: `delegation.requested`, `delegation.claimed`, `delegation.ended`, `buffer.defined`, … */
  action: string;
  /** The delegation or the buffer that it is about. */
  delegation: number | null;
  buffer: string | null;
  /** The facts: for a delegation its record afterwards. */
  detail: unknown;
  /** SHA-256 over the entry and its predecessor's hash, hex. */
  hash: string;
}

export interface AuditVerdict {
  ok: boolean;
  /** How many entries were looked at. */
  entries: number;
  /** The last entry's hash, hex: keep it elsewhere to notice a cut-off tail. */
  head: string | null;
  /** The first entry that does not fit, and what is wrong with it. */
  broken: { seq: number; problem: string } | null;
}

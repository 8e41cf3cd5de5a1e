import * as crypto from "node:crypto";
import { createHash } from "node:crypto";

/** One audit row as it is stored; `detail` and `delegations` are JSON texts, hashed as they stand. */
export interface AuditRow {
  seq: number;
  at: number;
  actor: string;
  action: string;
  delegation: number | null;
  delegations: string | null;
  buffer: string | null;
  account: string | null;
  state: string | null;
  detail: string;
  hash: string;
}

/** What the first entry's predecessor would have had. */
export const GENESIS = "0".repeat(64);

// crypto.hash (Node 20.12) spares the object that createHash makes.
const sha256 = (crypto as { hash?: (algorithm: string, data: string) => string }).hash
  ? (text: string) => crypto.hash("sha256", text)
  : (text: string) => createHash("sha256").update(text).digest("hex");

/** SHA-256, hex, over the predecessor's hash, a line feed and the row's fields as one JSON array. */
export function hashOf(row: Omit<AuditRow, "hash">, previous: string): string {
  const { seq, at, actor, action, delegation, delegations, buffer, account, state, detail } = row;
  return sha256(
    `${previous}\n${JSON.stringify([seq, at, actor, action, delegation, delegations, buffer, account, state, detail])}`,
  );
}

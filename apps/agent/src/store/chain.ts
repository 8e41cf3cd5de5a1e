import * as crypto from "node:crypto";
import { createHash } from "node:crypto";
import { type AuditRow, chainedText } from "@lendbuf/shared/audit";

// crypto.hash (Node 20.12) spares the object that createHash makes.
const sha256 = (crypto as { hash?: (algorithm: string, data: string) => string }).hash
  ? (text: string) => crypto.hash("sha256", text)
  : (text: string) => createHash("sha256").update(text).digest("hex");

export function hashOf(row: Omit<AuditRow, "hash">, previous: string): string {
  return sha256(chainedText(row, previous));
}

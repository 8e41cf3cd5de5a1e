import { type AuditEntry, type AuditRow, whoOf } from "@lendbuf/shared/audit";

/** What details have that is shown apart. */
interface Told {
  reason?: string;
  purpose?: string;
  message?: string;
  call?: string;
  code?: string;
  proof?: { method?: string; answer?: string; durationUs?: number | null };
  revocation?: { method?: string | null; lastErrno?: string | null } | null;
}

/** A stored row as every door shows it. */
export function toEntry(row: AuditRow): AuditEntry {
  const { seq, at, actor, action, delegation, buffer, hash } = row;
  const detail = JSON.parse(row.detail) as Told;
  const { reason, purpose, message, call, code, proof, revocation } = detail;
  const refusedWith = proof?.answer === "0" ? undefined : proof?.answer;
  return {
    seq,
    at,
    actor,
    who: whoOf(actor),
    action,
    delegation,
    buffer,
    why: reason ?? purpose ?? message ?? null,
    method: proof?.method ?? revocation?.method ?? call ?? null,
    errno: refusedWith ?? revocation?.lastErrno ?? code ?? null,
    durationUs: proof?.durationUs ?? null,
    detail: row.delegations ? { ...detail, ...manyOf(JSON.parse(row.delegations)) } : detail,
    hash,
  };
}

/** An entry about ten thousand delegations must still fit into a packet. */
function manyOf(ids: number[]) {
  return { count: ids.length, ids: ids.slice(0, 200) };
}

import type { AuditEntry, AuditVerdict } from "@lendbuf/shared/audit";
import { type AuditRow, GENESIS, hashOf } from "./chain.ts";
import type { Store } from "./store.ts";

export interface AuditFilter {
  after?: number | undefined;
  before?: number | undefined;
  delegation?: number | undefined;
  buffer?: string | undefined;
  limit: number;
}

/** Newest first; with `after`, oldest first from there on. */
export function listAudit(store: Store, filter: AuditFilter): AuditEntry[] {
  const conditions: string[] = [];
  const values: (string | number)[] = [];
  const where = (condition: string, ...bound: (string | number)[]) => {
    conditions.push(condition);
    values.push(...bound);
  };
  if (filter.after !== undefined) where("seq > ?", filter.after);
  if (filter.before !== undefined) where("seq < ?", filter.before);
  if (filter.buffer !== undefined) where("buffer = ?", filter.buffer);
  if (filter.delegation !== undefined) {
    const { delegation } = filter;
    where("seq >= (SELECT first_seq FROM delegations WHERE id = ?)", delegation);
    where("seq <= (SELECT last_seq FROM delegations WHERE id = ?)", delegation);
    where(
      "(delegation = ? OR (delegations IS NOT NULL AND EXISTS (SELECT 1 FROM json_each(delegations) WHERE value = ?)))",
      delegation,
      delegation,
    );
  }
  const clause = conditions.length > 0 ? `WHERE ${conditions.join(" AND ")}` : "";
  const order = filter.after === undefined ? "DESC" : "ASC";
  return store
    .all<AuditRow>(`SELECT * FROM audit ${clause} ORDER BY seq ${order} LIMIT ?`, ...values, filter.limit)
    .map(toEntry);
}

export function toEntry(row: AuditRow): AuditEntry {
  const { seq, at, actor, action, delegation, buffer, hash } = row;
  const detail = JSON.parse(row.detail) as object;
  return {
    seq,
    at,
    actor,
    action,
    delegation,
    buffer,
    detail: row.delegations ? { ...detail, ...manyOf(JSON.parse(row.delegations)) } : detail,
    hash,
  };
}

/** An entry about ten thousand delegations must still fit into a packet. */
function manyOf(ids: number[]) {
  return { count: ids.length, ids: ids.slice(0, 200) };
}

const CHUNK = 2000;

/** Recomputes the whole chain, in steps, so that the agent stays at work meanwhile. */
export async function verifyAudit(store: Store): Promise<AuditVerdict> {
  let previous = GENESIS;
  let entries = 0;
  for (;;) {
    const rows = store.all<AuditRow>("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", entries, CHUNK);
    for (const row of rows) {
      const problem = problemOf(row, entries + 1, previous);
      if (problem) return { ok: false, entries, head: null, broken: { seq: row.seq, problem } };
      previous = row.hash;
      entries++;
    }
    if (rows.length < CHUNK) {
      if (entries < store.head.seq || previous !== store.head.hash) {
        return {
          ok: false,
          entries,
          head: null,
          broken: { seq: entries + 1, problem: "entries at the end are missing" },
        };
      }
      return { ok: true, entries, head: entries > 0 ? previous : null, broken: null };
    }
    await new Promise(setImmediate);
  }
}

function problemOf(row: AuditRow, expected: number, previous: string): string | null {
  if (row.seq !== expected) return `entry ${expected} is missing`;
  if (hashOf(row, previous) !== row.hash) return "its hash does not fit its contents and its predecessor";
  return null;
}

import type { AuditRow } from "@lendbuf/shared/audit";
import { type AuditFilter, conditionOf } from "./condition.ts";
import { SPAN, Spans } from "./spans.ts";
import type { Store } from "./store.ts";

export type Found = AuditRow & {
  /** The predecessor's hash; null where it was dropped. */
  previous: string | null;
};

/**
 * Looks through the audit a few thousand entries at a time, so that the agent stays at work: no index serves it, for each would
 * cost every decision. Stretches of another time are passed over.
 */
export class AuditSearch {
  readonly #store: Store;
  readonly #spans: Spans;

  constructor(store: Store) {
    this.#store = store;
    this.#spans = new Spans(store);
  }

  /** Newest first; with `after`, oldest first from there on. */
  async *rows(filter: AuditFilter, order: "ASC" | "DESC", limit = Number.MAX_SAFE_INTEGER): AsyncGenerator<Found> {
    const { first, last } = this.#boundsOf(filter);
    const { sql, values } = conditionOf(filter);
    let left = limit;
    for (const span of spansOf(first, last, order)) {
      if (!this.#spans.mayHave(span, filter)) continue;
      const query = `SELECT *, (SELECT hash FROM audit p WHERE p.seq = audit.seq - 1) AS previous FROM audit
        WHERE seq BETWEEN ? AND ?${sql} ORDER BY seq ${order} LIMIT ?`;
      const rows = this.#store.all<Found>(query, span * SPAN, (span + 1) * SPAN - 1, ...values, left);
      for (const row of rows) if (row.seq >= first && row.seq <= last) yield row;
      left -= rows.length;
      if (left <= 0) return;
      await new Promise(setImmediate);
    }
  }

  async find(filter: AuditFilter, limit: number): Promise<Found[]> {
    const rows: Found[] = [];
    for await (const row of this.rows(filter, filter.after === undefined ? "DESC" : "ASC", limit)) rows.push(row);
    return rows;
  }

  #boundsOf({ after = 0, before, delegation }: AuditFilter): { first: number; last: number } {
    const first = after + 1;
    const last = Math.min(this.#store.head.seq, (before ?? Number.MAX_SAFE_INTEGER) - 1);
    if (delegation === undefined) return { first: Math.max(first, this.#store.tail), last };
    const [row] = this.#store.all<{ first_seq: number; last_seq: number }>(
      "SELECT first_seq, last_seq FROM delegations WHERE id = ?",
      delegation,
    );
    if (!row) return { first: 1, last: 0 };
    return { first: Math.max(first, row.first_seq), last: Math.min(last, row.last_seq) };
  }
}

function* spansOf(first: number, last: number, order: "ASC" | "DESC"): Iterable<number> {
  const [low, high] = [Math.floor(first / SPAN), Math.floor(last / SPAN)];
  if (first > last) return;
  for (let i = 0; i <= high - low; i++) yield order === "ASC" ? low + i : high - i;
}

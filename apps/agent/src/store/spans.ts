import type { Store } from "./store.ts";

/** Entries that are looked at in one go. */
export const SPAN = 2000;

/**
 * From when to when each full span of the audit is. Times rise with the entries' numbers except where the clock was set, so a
 * search may not bisect by them; but a full span never changes, and need be read for its times only once.
 */
export class Spans {
  readonly #store: Store;
  readonly #times = new Map<number, { from: number; to: number }>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether a span may have entries of that time. */
  mayHave(span: number, { from, to }: { from?: number | undefined; to?: number | undefined }): boolean {
    if (from === undefined && to === undefined) return true;
    const times = this.#timesOf(span);
    if (!times) return true;
    return times.to >= (from ?? 0) && times.from < (to ?? Number.MAX_SAFE_INTEGER);
  }

  #timesOf(span: number): { from: number; to: number } | undefined {
    const known = this.#times.get(span);
    const last = (span + 1) * SPAN - 1;
    if (known || last > this.#store.head.seq) return known;
    const [times] = this.#store.all<{ from: number | null; to: number }>(
      'SELECT min(at) AS "from", max(at) AS "to" FROM audit WHERE seq BETWEEN ? AND ?',
      span * SPAN,
      last,
    );
    if (times?.from == null) return undefined;
    this.#times.set(span, { from: times.from, to: times.to });
    return this.#times.get(span);
  }
}

import type { Deadlines } from "../clock/deadlines.ts";
import type { Draft, Store } from "../store/store.ts";

/** How often a flood is written. */
const INTERVAL_MS = 60_000;
/** Within one interval so many of one account, and so many of all, are written each by itself. */
const SINGLY_PER_ACCOUNT = 20;
const SINGLY = 100;
/** Kinds of refusals that are counted apart. */
const MAX_KINDS = 256;
const MAX_WORDS = 200;

export interface Refused {
  actor: string;
  /** Null where nobody knows whose it was. */
  account: string | null;
  /** The method, or which door. */
  call: string;
  code: string;
  message: string;
  buffer?: string | undefined;
  /** Ids that it named. */
  ids?: number[] | undefined;
}

interface Kind {
  last: Refused;
  count: number;
  since: number;
}

/**
 * Puts refusals into the audit: the first ones of an account each by itself, of a flood one row per account, code and call in each
 * minute. Never throws, and never keeps more than it may: what the store does not take is counted.
 */
export class Refusals {
  /** Since the start, by code. */
  readonly counts = new Map<string, number>();
  readonly #store: Store;
  readonly #clock: Deadlines;
  readonly #kinds = new Map<string, Kind>();
  readonly #singly = new Map<string | null, number>();
  #written = 0;
  #isTimed = false;

  constructor(store: Store, clock: Deadlines) {
    this.#store = store;
    this.#clock = clock;
  }

  /** One that nobody need look for later. */
  count(code: string): void {
    this.counts.set(code, (this.counts.get(code) ?? 0) + 1);
  }

  note(refused: Refused): void {
    this.count(refused.code);
    this.#time();
    const singly = this.#singly.get(refused.account) ?? 0;
    if (singly < SINGLY_PER_ACCOUNT && this.#written < SINGLY && this.#write(refused, {})) {
      this.#singly.set(refused.account, singly + 1);
      this.#written++;
    } else this.#add(refused);
  }

  /** Writes what was counted. */
  flush(): void {
    for (const [key, { last, count, since }] of this.#kinds) {
      if (!this.#write({ ...last, actor: last.account ?? "nobody" }, { count, since })) return;
      this.#kinds.delete(key);
    }
  }

  #time(): void {
    if (this.#isTimed) return;
    this.#isTimed = true;
    this.#clock.after(INTERVAL_MS, () => {
      this.#isTimed = false;
      this.#singly.clear();
      this.#written = 0;
      this.flush();
      if (this.#kinds.size > 0) this.#time();
    });
  }

  #add(refused: Refused): void {
    const { account, call, code } = refused;
    const own = `${account} ${code} ${call}`;
    const isFull = this.#kinds.size >= MAX_KINDS && !this.#kinds.has(own);
    const key = isFull ? "others" : own;
    const last = isFull ? { ...refused, actor: "nobody", account: null, call: "(many)", code: "(many)" } : refused;
    const kind = this.#kinds.get(key) ?? { count: 0, since: Date.now() };
    this.#kinds.set(key, { last, count: kind.count + 1, since: kind.since });
  }

  #write({ actor, account, call, code, message, buffer, ids }: Refused, many: object): boolean {
    if (this.#store.problem) return false;
    const words = message.length > MAX_WORDS ? `${message.slice(0, MAX_WORDS)}…` : message;
    const draft: Draft = {
      at: Date.now(),
      actor,
      action: "request.refused",
      ...(account !== null && { account }),
      ...(buffer !== undefined && { buffer }),
      detail: { call, code, message: words, ids, ...many },
    };
    try {
      this.#store.record(draft);
      return true;
    } catch {
      return false; // the store says why
    }
  }
}

import type { Deadlines } from "../clock/deadlines.ts";

const FIRST_DELAY_MS = 1000;
/** After so long without another failure all is as if there had been none. */
const FORGOTTEN_MS = 3_600_000;
const LOOK_THROUGH_AT = 1000;

export interface Patience {
  /** Failures that cost no time. */
  free: number;
  /** The delay doubles with each further one, up to this. */
  mostMs: number;
}

/**
 * How often each has failed, and how long it must wait therefore. Keys are never an account alone: who guesses would lock out
 * whoever owns it.
 */
export class Guesses {
  readonly #clock: Pick<Deadlines, "now">;
  readonly #failures = new Map<string, { count: number; at: number }>();

  constructor(clock: Pick<Deadlines, "now">) {
    this.#clock = clock;
  }

  waitMs(key: string, { free, mostMs }: Patience): number {
    const failed = this.#failures.get(key);
    if (!failed || failed.count < free) return 0;
    const delay = Math.min(mostMs, FIRST_DELAY_MS * 2 ** (failed.count - free));
    return Math.max(0, failed.at + delay - this.#clock.now());
  }

  /** Before it is known to be one: else many at a time would be one. */
  count(key: string): void {
    const now = this.#clock.now();
    if (this.#failures.size > LOOK_THROUGH_AT)
      for (const [old, { at }] of this.#failures) if (at + FORGOTTEN_MS < now) this.#failures.delete(old);
    const before = this.#failures.get(key);
    const isRecent = before !== undefined && before.at + FORGOTTEN_MS > now;
    this.#failures.set(key, { count: isRecent ? before.count + 1 : 1, at: now });
  }

  /** It was one: the delay begins with the answer, however long that took. */
  confirm(key: string): void {
    const failed = this.#failures.get(key);
    if (failed) failed.at = this.#clock.now();
  }

  /** It was none after all. */
  takeBack(key: string): void {
    const failed = this.#failures.get(key);
    if (failed && --failed.count <= 0) this.#failures.delete(key);
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}

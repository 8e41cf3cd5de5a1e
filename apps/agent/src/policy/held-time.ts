import type { Record } from "../delegations/live.ts";
import type { Store } from "../store/store.ts";

export const WEEK_MS = 7 * 86_400_000;
/** Kept by the hour: as much as there are accounts and buffers, however often they borrow. */
const HOUR_MS = 3_600_000;

type Hours = Map<number, number>;
type Ended = Pick<Record, "account" | "buffer" | "claimedAt" | "endedAt" | "expiresAt" | "leaseMs">;

/** For how long each account had each buffer in the last seven days: of what has ended. Counts nothing until a rule asks. */
export class HeldTime {
  readonly #store: Store;
  readonly #byAccount = new Map<string, Map<string, Hours>>();
  #counts = false;

  constructor(store: Store) {
    this.#store = store;
  }

  /** From now on it is asked. */
  begin(now = Date.now()): void {
    if (this.#counts) return;
    this.#counts = true;
    this.load(now);
  }

  /** Takes up what the books know; again when they could be opened at last. */
  load(now = Date.now()): void {
    if (!this.#counts) return;
    this.#byAccount.clear();
    const rows = this.#store.iterate<Ended>(
      `SELECT account, buffer, record->>'claimedAt' AS claimedAt, record->>'endedAt' AS endedAt,
         record->>'expiresAt' AS expiresAt, record->>'leaseMs' AS leaseMs
       FROM delegation_records WHERE state = 'revoked'`,
    );
    for (const row of rows) this.add(row, now);
  }

  /** One that has ended. */
  add(ended: Ended, now = Date.now()): void {
    const { account, buffer, endedAt } = ended;
    const since = heldSince(ended);
    if (!this.#counts || since === null || endedAt === null || endedAt <= now - WEEK_MS) return;
    const ofAccount = this.#byAccount.get(account) ?? new Map<string, Hours>();
    this.#byAccount.set(account, ofAccount);
    const hours: Hours = ofAccount.get(buffer) ?? new Map();
    ofAccount.set(buffer, hours);
    for (let from = Math.max(since, now - WEEK_MS); from < endedAt; ) {
      const hour = Math.floor(from / HOUR_MS);
      const to = Math.min(endedAt, (hour + 1) * HOUR_MS);
      hours.set(hour, (hours.get(hour) ?? 0) + to - from);
      from = to;
    }
  }

  /** Milliseconds; an hour counts whole until all of it is a week ago. */
  of(account: string, isMeant: (buffer: string) => boolean, now = Date.now()): number {
    const first = Math.floor((now - WEEK_MS) / HOUR_MS);
    let sum = 0;
    for (const [buffer, hours] of this.#byAccount.get(account) ?? []) {
      for (const [hour, ms] of hours) {
        if (hour < first) hours.delete(hour);
        else if (isMeant(buffer)) sum += ms;
      }
      if (hours.size === 0) this.#byAccount.get(account)!.delete(buffer);
    }
    return sum;
  }
}

/** When its lease began: a kept one may have been claimed again since. Null where it was never claimed. */
export function heldSince({
  claimedAt,
  expiresAt,
  leaseMs,
}: Pick<Ended, "claimedAt" | "expiresAt" | "leaseMs">): number | null {
  return claimedAt === null ? null : Math.min(claimedAt, (expiresAt ?? Number.POSITIVE_INFINITY) - leaseMs);
}

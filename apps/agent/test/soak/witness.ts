import type { Access, Delegation, EndReason } from "@lendbuf/shared/delegation";

/** What a client was told that it has. */
export interface Told {
  readonly id: number;
  readonly account: string;
  readonly buffer: string;
  readonly access: Access;
  readonly offerMs: number;
  /** Before it was asked for, by performance.now(). */
  readonly sinceMs: number;
  /** Null once an answer was lost that could have changed it. */
  leaseMs: number | null;
  isGivenBack: boolean;
  /** The connection that claimed it has gone. */
  isLeft: boolean;
}

/** Something that may end delegations: those of an account, those named, or where neither is said all. */
interface Cause {
  readonly reasons: readonly EndReason[];
  readonly account?: string;
  readonly ids?: readonly number[];
  untilMs: number;
}

/** How far the wall clock, by which records are dated, may stray meanwhile. */
const SLACK_MS = 200;

/** Remembers what clients were told and what befell them, and holds the books to it. */
export class Witness {
  readonly told = new Map<number, Told>();
  readonly #causes: Cause[] = [];

  hear(delegation: Delegation, sinceMs: number, offerMs = 0): Told {
    const { id, account, buffer, access, leaseMs } = delegation;
    const known = this.told.get(id);
    if (known) {
      known.isLeft = false;
      return known;
    }
    const told = { id, account, buffer, access, offerMs, sinceMs, leaseMs, isGivenBack: false, isLeft: false };
    this.told.set(id, told);
    return told;
  }

  /** Whatever ends for these reasons until the work is done has its cause in it. */
  async during<T>(cause: Omit<Cause, "untilMs">, work: () => Promise<T>): Promise<T> {
    const entry: Cause = { ...cause, untilMs: Number.POSITIVE_INFINITY };
    this.#causes.push(entry);
    try {
      return await work();
    } finally {
      entry.untilMs = performance.now();
    }
  }

  /** What the books have wrong, or do not have at all; they tell of each delegation by its id. */
  check(books: ReadonlyMap<number, Partial<Delegation>>): string[] {
    return [...this.told.values()].flatMap((told) => {
      const record = books.get(told.id);
      if (!record) return [`delegation ${told.id} of ${told.account} is lost: the books do not know it`];
      return this.#problemsOf(told, record).map((problem) => `delegation ${told.id} of ${told.account}: ${problem}`);
    });
  }

  #problemsOf(told: Told, record: Partial<Delegation>): string[] {
    const problems: string[] = [];
    for (const field of ["account", "buffer", "access", "leaseMs"] as const)
      if (told[field] !== null && told[field] !== record[field])
        problems.push(`its client was told ${field} ${told[field]}, the books say ${record[field]}`);
    if (record.state !== "revoked" && record.state !== "cancelled") problems.push(`is ${record.state} at the end`);
    else if (!this.#fits(told, record)) problems.push(`ended as ${record.reason}, for which there was no cause`);
    return problems;
  }

  #fits(told: Told, { reason, endedAt, expiresAt, offeredAt }: Partial<Delegation>): boolean {
    if (reason === "released" || reason === "withdrawn") return told.isGivenBack;
    // Where all are the agent's own user, they revoke as operators.
    if (reason === "operator" && told.isGivenBack && told.account.startsWith("uid:")) return true;
    if (reason === "disconnected") return told.isLeft;
    if (reason === "expired") return endedAt! >= expiresAt! - SLACK_MS;
    if (reason === "lapsed") return endedAt! - offeredAt! >= told.offerMs - SLACK_MS;
    return this.#causes.some(
      ({ reasons, account, ids, untilMs }) =>
        untilMs >= told.sinceMs &&
        reasons.includes(reason!) &&
        (account === undefined || account === told.account) &&
        (ids === undefined || ids.includes(told.id)),
    );
  }
}

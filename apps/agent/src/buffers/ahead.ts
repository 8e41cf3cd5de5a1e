import type { Share } from "@lendbuf/shared/delegation";

/** A reservation as a buffer knows it. Times are of the wall clock. */
export interface Ahead {
  readonly id: number;
  readonly account: string;
  readonly share: Share;
  readonly from: number;
  readonly to: number;
}

/** Who has, or would have, a buffer, and how. */
export interface Wanted {
  readonly account: string;
  readonly share: Share;
}

/** The first of these reservations that keeps this account from having the buffer from then until then. Its own keep it from nothing. */
export function firstInTheWay(
  reservations: readonly Ahead[],
  { account, share }: Wanted,
  from: number,
  to: number,
): Ahead | undefined {
  return reservations.find(
    (other) => other.account !== account && !canShare(other.share, share) && other.from < to && from < other.to,
  );
}

export function canShare(one: Share, other: Share): boolean {
  return one === "shared" && other === "shared";
}

/** Nobody wants a lease that is shorter. */
const SHORTEST_MS = 1000;

/**
 * How long a lease may be that begins by then at the latest: as long as it is wished, or as a reservation leaves it where less will do. Null
 * where nothing is left.
 */
export function leaseThatFits(
  reservations: readonly Ahead[],
  wanted: Wanted & { leaseMs: number; shorten: boolean },
  now: number,
  beginsBy: number,
): number | null {
  const other = firstInTheWay(reservations, wanted, now, beginsBy + wanted.leaseMs);
  if (!other) return wanted.leaseMs;
  const left = other.from - beginsBy;
  return wanted.shorten && left >= SHORTEST_MS ? left : null;
}

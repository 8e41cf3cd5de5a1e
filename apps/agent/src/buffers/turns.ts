import type { Drain } from "@lendbuf/shared/device";
import { firstInTheWay, leaseThatFits } from "./ahead.ts";
import type { Buffer, Occupant } from "./buffer.ts";

interface Turns {
  changes: number;
  drain: Drain | null;
  /** In the queue's order. */
  at: (number | null)[];
}

const known = new WeakMap<object, Turns>();

/**
 * When the one at this place of the queue has its turn at the latest, as leases, offers and reservations stand now; wall-clock milliseconds. Null where nobody
 * can tell: while an end before it waits for the kernel, or the device is not there, or the buffer is held.
 */
export function turnOf(buffer: Buffer, place: number): number | null {
  const { changes, device } = buffer;
  const { drain } = device;
  if (!device.isReady || drain?.until === null || buffer.between.hold) return null;
  let turns = known.get(buffer);
  if (turns?.changes !== changes || turns.drain !== drain)
    known.set(buffer, (turns = { changes, drain, at: turnsOf(buffer, Math.max(Date.now(), drain?.until ?? 0)) }));
  const at = turns.at[place] ?? null;
  return at === null ? null : Math.max(at, Date.now());
}

/** Those who have the buffer together, by the times of the first to come and of the last to go. */
interface Group {
  share: "exclusive" | "shared";
  from: number | null;
  until: number | null;
}

/** Plays the queue through with nobody giving anything back before its time, and nothing new lent before that moment. */
function turnsOf({ occupants, queue, reservations }: Buffer, begin: number): (number | null)[] {
  const [first] = occupants;
  let group: Group | undefined = first && {
    share: first.record.share,
    from: begin,
    until: latest([...[...occupants].map(({ record }) => latestEnd(record)), begin]),
  };
  return queue.map(({ record }) => {
    const { share } = record;
    const joins: boolean = group?.share === "shared" && share === "shared";
    const free: number | null = group ? (joins ? group.from : group.until) : begin;
    const from = free === null ? null : afterReservations(reservations, record, free);
    const until = from === null ? null : endOf(record, from + record.offerMs);
    group = { share, from, until: joins ? latest([group!.until, until]) : until };
    return from;
  });
}

/** The first moment from then on at which an offer would leave enough time before the next reservation. */
function afterReservations(reservations: Buffer["reservations"], record: Occupant["record"], from: number): number {
  for (let at = from; ; ) {
    const offerEnd = at + record.offerMs;
    if (leaseThatFits(reservations, record, at, offerEnd) !== null) return at;
    at = firstInTheWay(reservations, record, at, offerEnd + record.leaseMs)!.to;
  }
}

/** When it has gone at the latest. Null: that depends on the kernel. */
export function latestEnd(record: Occupant["record"]): number | null {
  const { state, expiresAt, offerEndsAt } = record;
  if (state === "active") return expiresAt;
  return state === "offered" && offerEndsAt !== null ? endOf(record, offerEndsAt) : null;
}

/** Of a lease that begins at that moment. */
function endOf({ leaseMs, until }: Occupant["record"], from: number): number {
  return Math.min(from + leaseMs, until ?? Number.POSITIVE_INFINITY);
}

function latest(times: readonly (number | null)[]): number | null {
  return times.reduce((one, other) => (one === null || other === null ? null : Math.max(one, other)), 0);
}

import type { Buffer, Occupant } from "./buffer.ts";

interface Turns {
  changes: number;
  /** In the queue's order. */
  at: (number | null)[];
}

const known = new WeakMap<object, Turns>();

/**
 * When the one at this place of the queue has its turn at the latest, as leases and offers stand now; wall-clock milliseconds. Null where nobody
 * can tell: while an end before it waits for the kernel, or the device is not there.
 */
export function turnOf(buffer: Buffer, place: number): number | null {
  if (!buffer.device.isReady) return null;
  let turns = known.get(buffer);
  if (turns?.changes !== buffer.changes)
    known.set(buffer, (turns = { changes: buffer.changes, at: turnsOf(buffer, Date.now()) }));
  const at = turns.at[place] ?? null;
  return at === null ? null : Math.max(at, Date.now());
}

/** Those who have the buffer together, by the times of the first to come and of the last to go. */
interface Group {
  share: "exclusive" | "shared";
  from: number | null;
  until: number | null;
}

/** Plays the queue through with nobody giving anything back before its time. */
function turnsOf({ occupants, queue }: Buffer, now: number): (number | null)[] {
  const [first] = occupants;
  let group: Group | undefined = first && {
    share: first.record.share,
    from: now,
    until: latest([...occupants].map(({ record }) => latestEnd(record))),
  };
  return queue.map(({ record: { share, offerMs, leaseMs } }) => {
    const joins: boolean = group?.share === "shared" && share === "shared";
    const from: number | null = group ? (joins ? group.from : group.until) : now;
    const until = from === null ? null : from + offerMs + leaseMs;
    group = { share, from, until: joins ? latest([group!.until, until]) : until };
    return from;
  });
}

/** When it has gone at the latest. Null: that depends on the kernel. */
function latestEnd({ state, expiresAt, offerEndsAt, leaseMs }: Occupant["record"]): number | null {
  if (state === "active") return expiresAt;
  return state === "offered" && offerEndsAt !== null ? offerEndsAt + leaseMs : null;
}

function latest(times: readonly (number | null)[]): number | null {
  return times.reduce((one, other) => (one === null || other === null ? null : Math.max(one, other)), 0);
}

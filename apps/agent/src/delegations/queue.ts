import { leaseThatFits } from "../buffers/ahead.ts";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Live, Record } from "./live.ts";

/**
 * Offers the buffer to those who are next in line, as far as it is free, its device is there and the store takes the offer. Whoever would
 * run into a reservation waits until it is over; meanwhile those who would not may pass.
 */
export function advance(core: Core, buffer: Buffer<Live>): void {
  for (let place = 0; place < buffer.queue.length && buffer.device.lends; ) {
    const next = buffer.queue[place]!;
    const { record } = next;
    if (!buffer.admits(record.share)) return;
    const leaseMs = leaseThatFits(buffer.reservations, record, Date.now(), Date.now() + record.offerMs);
    if (leaseMs === null) {
      place++;
      continue;
    }
    try {
      const patch = { ...offerFields(record), leaseMs };
      core.ledger.grant(next, { actor: "agent", action: "delegation.offered", patch });
    } catch {
      return; // the store refuses; it calls again when it recovers
    }
    startOffer(core, next);
  }
}

/** Everybody in line for what is free: after a start, a device's return, a store's recovery. */
export function advanceAll(core: Core): void {
  for (const buffer of core.buffers.all()) if (buffer.queue.length > 0) advance(core, buffer);
}

export function offerFields({
  offerMs,
  until,
}: Pick<Record, "offerMs" | "until">): Pick<Record, "state" | "offeredAt" | "offerEndsAt"> {
  const now = Date.now();
  return { state: "offered", offeredAt: now, offerEndsAt: Math.min(now + offerMs, until ?? Number.POSITIVE_INFINITY) };
}

/** From now on an unclaimed offer lapses in its full time. */
export function startOffer(core: Core, live: Live): void {
  const { offerMs, until } = live.record;
  live.lapsesAt = core.clock.now() + (until === null ? offerMs : Math.min(offerMs, until - Date.now()));
  core.ledger.schedule(live);
}

/** What waits past the end of its time has nothing to wait for. */
export function startWait(core: Core, live: Live): void {
  const { until } = live.record;
  if (until === null) return;
  live.lapsesAt = core.clock.now() + (until - Date.now());
  core.ledger.schedule(live);
}

import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Live, Record } from "./live.ts";

/** Offers the buffer to those who are next in line, as far as it is free, its device is there and the store takes the offer. */
export function advance(core: Core, buffer: Buffer<Live>): void {
  for (
    let next = buffer.queue[0];
    next && buffer.device.isReady && buffer.admits(next.record.share);
    next = buffer.queue[0]
  ) {
    try {
      core.ledger.grant(next, {
        actor: "agent",
        action: "delegation.offered",
        patch: offerFields(next.record.offerMs),
      });
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

export function offerFields(offerMs: number): Pick<Record, "state" | "offeredAt" | "offerEndsAt"> {
  const now = Date.now();
  return { state: "offered", offeredAt: now, offerEndsAt: now + offerMs };
}

/** From now on an unclaimed offer lapses in its full time. */
export function startOffer(core: Core, live: Live): void {
  live.lapsesAt = core.clock.now() + live.record.offerMs;
  core.ledger.schedule(live);
}

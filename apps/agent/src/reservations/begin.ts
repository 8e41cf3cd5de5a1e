import type { Core } from "../core.ts";
import { BLANK } from "../delegations/live.ts";
import { advance, startWait } from "../delegations/queue.ts";
import type { Booking } from "./record.ts";

/**
 * Reservations are appointments, so they begin by the wall clock, which people may set at any time and which the timers here do not follow: it is
 * looked at so often, while there is anything to begin.
 */
const LOOK_MS = 5000;

/** Wakes when the next reservation begins. */
export function expect(core: Core): void {
  const { next } = core.reservations;
  core.alarms.reservations?.cancel();
  if (next === undefined) return;
  const inMs = Math.min(LOOK_MS, Math.max(1, next - Date.now()));
  core.alarms.reservations = core.clock.after(inMs, () => beginDue(core));
}

/** Those whose time has come become delegations; of those whose time is over nothing comes any more. */
export function beginDue(core: Core): void {
  const now = Date.now();
  for (const booking of core.reservations.inOrder()) {
    if (booking.from > now) break;
    if (booking.to <= now) {
      core.reservations.end(booking, "missed", "agent");
      leave(core, booking);
    } else begin(core, booking, now);
  }
  expect(core);
}

/** First in line from now on, for what is left of its time. Where the store refuses, or the buffer is not there, it is tried again. */
function begin(core: Core, booking: Booking, now: number): void {
  const { id, buffer, account, requestedBy, to, access, share, keep, purpose, exporter } = booking;
  const target = core.buffers.find(buffer);
  if (!target) return;
  const leaseMs = to - now;
  const fields = { buffer, account, requestedBy, access, share, keep, purpose, exporter, leaseMs, requestedAt: now };
  try {
    const live = core.ledger.create(
      {
        ...BLANK,
        ...fields,
        device: target.device.name,
        size: target.size,
        offerMs: Math.min(core.config.noShowMs, leaseMs),
        state: "waiting",
        reservation: id,
        until: to,
      },
      target,
      { actor: "agent", action: "reservation.begun" },
    );
    startWait(core, live);
    core.reservations.begun(booking, live.record.id);
  } catch (cause) {
    core.log.error({ reservation: id, cause }, "a reservation cannot begin yet");
    return;
  }
  leave(core, booking);
}

/** It is out of the way of those in line. */
export function leave(core: Core, { buffer }: Booking): void {
  const target = core.buffers.find(buffer);
  if (target) {
    target.changes++;
    advance(core, target);
  }
  core.reserved.notify();
}

import { AgentError } from "@lendbuf/shared/errors";
import { mayTouch } from "@lendbuf/shared/permissions";
import type { Caller, Core } from "../core.ts";
import { expect, leave } from "./begin.ts";
import type { Booking } from "./record.ts";

/** Gives it up before its time has come; one that was cancelled already is no error. @throws AgentError NOT_FOUND, NOT_YOURS, ENDED */
export function cancel(core: Core, caller: Caller, id: number): Booking {
  const booking = core.reservations.get(id);
  const { account, state, delegation } = booking;
  if (!mayTouch(caller, "reservations.cancel", account))
    throw new AgentError("NOT_YOURS", `Reservation ${id} belongs to another account; you are ${caller.account}.`);
  if (state === "begun")
    throw new AgentError(
      "ENDED",
      `Reservation ${id} has begun, as delegation ${delegation}. Give that back: lendbuf release ${delegation}.`,
    );
  if (state !== "booked") return booking;
  drop(core, booking, caller.actor);
  return booking;
}

/** All that an account has reserved. */
export function cancelAll(core: Core, account: string, actor: string): void {
  for (const booking of core.reservations.inOrder()) if (booking.account === account) drop(core, booking, actor);
}

function drop(core: Core, booking: Booking, actor: string): void {
  core.reservations.end(booking, "cancelled", actor);
  leave(core, booking);
  expect(core);
}

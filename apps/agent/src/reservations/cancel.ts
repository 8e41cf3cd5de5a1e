import { AgentError } from "@lendbuf/shared/errors";
import type { Caller, Core } from "../core.ts";
import { expect, leave } from "./begin.ts";
import type { Booking } from "./record.ts";

/** Gives it up before its time has come; one that was cancelled already is no error. @throws AgentError NOT_FOUND, NOT_YOURS, ENDED */
export function cancel(core: Core, caller: Caller, id: number): Booking {
  const booking = core.reservations.get(id);
  const { account, state, delegation } = booking;
  if (account !== caller.account && !caller.isOperator)
    throw new AgentError("NOT_YOURS", `Reservation ${id} belongs to another account; you are ${caller.account}.`);
  if (state === "begun")
    throw new AgentError(
      "ENDED",
      `Reservation ${id} has begun, as delegation ${delegation}. Give that back: lendbuf release ${delegation}.`,
    );
  if (state !== "booked") return booking;
  core.reservations.end(booking, "cancelled", caller.actor);
  leave(core, booking);
  expect(core);
  return booking;
}

import type { Reservation } from "@lendbuf/shared/reservation";

/** What the store keeps of a reservation, as its JSON. */
export type Booking = Reservation & { account: string; requestedBy: string };

/** For those who see when a buffer is taken, and not by whom and what for. */
export function unnamed(booking: Booking): Reservation {
  return { ...booking, account: null, requestedBy: null, purpose: null, delegation: null };
}

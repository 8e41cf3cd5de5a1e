import type { Reservation } from "@lendbuf/shared/reservation";

/** What the store keeps of a reservation, as its JSON. */
export type Booking = Reservation & { account: string; requestedBy: string };

/** When a buffer is taken everybody may see; by whom and what for, those whose it is and who operates. */
export function viewOf(
  booking: Booking,
  { account, isOperator }: { account: string; isOperator: boolean },
): Reservation {
  if (isOperator || booking.account === account) return booking;
  return { ...booking, account: null, requestedBy: null, purpose: null, delegation: null };
}

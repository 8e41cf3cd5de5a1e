import type { Access, Share } from "./delegation.ts";
import type { Exporter } from "./exporter.ts";

/** `begun`: its time came and it became a delegation. `missed`: all of its time passed while it could not begin. */
export const RESERVATION_STATES = ["booked", "begun", "missed", "cancelled"] as const;
export type ReservationState = (typeof RESERVATION_STATES)[number];

/** An appointment: from then until then a buffer is one account's. Times are of the wall clock, milliseconds since 1970. */
export interface Reservation {
  id: number;
  buffer: string;
  /** Null: another's, for who does not operate; so are `requestedBy`, `purpose` and `delegation` then. */
  account: string | null;
  /** Who asked for it; differs from `account` where an operator did. */
  requestedBy: string | null;
  state: ReservationState;
  from: number;
  to: number;
  access: Access;
  share: Share;
  keep: boolean;
  purpose: string | null;
  exporter: Exporter | null;
  createdAt: number;
  /** What it became when its time came. */
  delegation: number | null;
}

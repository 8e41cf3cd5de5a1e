// A reservation in words.

import { formatDuration } from "@lendbuf/shared/duration";
import type { Reservation } from "@lendbuf/shared/reservation";
import { describeAccess } from "./delegation.ts";
import type { Column } from "./table.ts";
import { clock, relative } from "./time.ts";

function describeState({ state, delegation, from }: Reservation): string {
  if (state === "booked") return relative(from);
  return delegation === null ? state : `${state}, delegation ${delegation}`;
}

export const RESERVATION_COLUMNS: readonly Column<Reservation>[] = [
  { title: "ID", cell: ({ id }) => String(id), align: "right" },
  { title: "BUFFER", cell: ({ buffer }) => buffer },
  { title: "ACCOUNT", cell: ({ account }) => account ?? "somebody else", leaveOut: 4 },
  { title: "FROM", cell: ({ from }) => clock(from) },
  { title: "TO", cell: ({ to }) => clock(to) },
  { title: "FOR", cell: ({ from, to }) => formatDuration(to - from), leaveOut: 5 },
  { title: "STATE", cell: describeState },
  { title: "ACCESS", cell: describeAccess, leaveOut: 2 },
  { title: "PURPOSE", cell: ({ purpose }) => purpose ?? "", leaveOut: 1 },
];

import { AgentError } from "@lendbuf/shared/errors";
import type { Reservation } from "@lendbuf/shared/reservation";
import { sees } from "../accounts/permission.ts";
import type { Caller, Core } from "../core.ts";
import { cancel } from "../reservations/cancel.ts";
import { type Booking, unnamed } from "../reservations/record.ts";
import { reserve } from "../reservations/reserve.ts";
import { paged } from "./page.ts";
import { states } from "./states.ts";
import { input, type Output, router, subscription } from "./trpc.ts";

export const reservationsRouter = router({
  list: input("reservations.list").query(({ ctx, input: { limit, ...query } }): Output<"reservations.list"> => {
    const { core, caller } = ctx;
    const { found, total } = find(core, caller, query);
    return paged(ctx, found, limit, total, (booking) => viewOf(core, caller, booking), cursorOf);
  }),
  watch: subscription("reservations.watch").subscription(({ ctx, input: { buffer, limit } }) =>
    states(ctx, ctx.core.reserved, (): Output<"reservations.watch"> => {
      const { found, total } = find(ctx.core, ctx.caller, { buffer, all: false });
      const { items } = paged(ctx, found, limit, total, (booking) => viewOf(ctx.core, ctx.caller, booking), cursorOf);
      return { items, total };
    }),
  ),
  create: input("reservations.create").mutation(
    ({ ctx: { core, caller }, input }): Output<"reservations.create"> => reserve(core, caller, input),
  ),
  cancel: input("reservations.cancel").mutation(
    ({ ctx: { core, caller }, input }): Output<"reservations.cancel"> => cancel(core, caller, input.id),
  ),
});

interface Query {
  buffer?: string | undefined;
  account?: string | undefined;
  all: boolean;
  cursor?: string | undefined;
}

function find(core: Core, caller: Caller, query: Query): { found: Iterable<Booking>; total: number } {
  const { buffer, account, all, cursor } = query;
  const place = cursor === undefined ? undefined : placeOf(cursor);
  const isMeant = (booking: Booking) =>
    (buffer === undefined || booking.buffer === buffer) &&
    (account === undefined || (booking.account === account && sees(core, caller, account)));
  if (all) {
    const total = [...core.reservations.history(undefined)].filter(isMeant).length;
    return { found: [...core.reservations.history(place)].filter(isMeant), total };
  }
  const meant = core.reservations.inOrder().filter(isMeant);
  const isAfter = ({ from, id }: Booking) => !place || from > place.from || (from === place.from && id > place.id);
  return { found: meant.filter(isAfter), total: meant.length };
}

function viewOf(core: Core, caller: Caller, booking: Booking): Reservation {
  return sees(core, caller, booking.account) ? booking : unnamed(booking);
}

function cursorOf({ from, id }: { from: number; id: number }): string {
  return `${from}-${id}`;
}

/** @throws AgentError BAD_INPUT */
function placeOf(cursor: string): { from: number; id: number } {
  const [, from, id] = /^(\d{1,16})-(\d{1,16})$/.exec(cursor) ?? [];
  if (from === undefined) throw new AgentError("BAD_INPUT", `"${cursor}" is no cursor. Pass on a page's \`next\`.`);
  return { from: Number(from), id: Number(id) };
}

import type { BufferView } from "@lendbuf/shared/buffer";
import type { Buffer } from "../buffers/buffer.ts";
import type { Caller } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { paged } from "./page.ts";
import { input, type Output, requireOperator, router } from "./trpc.ts";

export const buffersRouter = router({
  list: input("buffers.list").query(({ ctx: { core, caller }, input: { limit, ...query } }): Output<"buffers.list"> => {
    const { found, total } = core.buffers.query(query);
    return paged(
      found,
      limit,
      total,
      (buffer) => view(buffer, caller),
      ({ name }) => name,
    );
  }),
  get: input("buffers.get").query(
    ({ ctx: { core, caller }, input }): Output<"buffers.get"> => view(core.buffers.get(input.name), caller),
  ),
  define: input("buffers.define").mutation(({ ctx, input }): Output<"buffers.define"> => {
    requireOperator(ctx, "define buffers");
    const buffer = ctx.core.buffers.define(input, ctx.caller.actor);
    ctx.core.changed.notify();
    return view(buffer, ctx.caller);
  }),
  remove: input("buffers.remove").mutation(({ ctx, input }): Output<"buffers.remove"> => {
    requireOperator(ctx, "remove buffers");
    ctx.core.buffers.remove(input.name, ctx.caller.actor);
    ctx.core.changed.notify();
    return null;
  }),
});

/** At most so many of those who share a buffer are named. */
const MAX_NAMED = 10;

function view(buffer: Buffer<Live>, caller: Caller): BufferView {
  const current: BufferView["current"] = [];
  for (const { record } of buffer.occupants) {
    if (current.length === MAX_NAMED) break;
    if (!caller.isOperator && record.account !== caller.account) continue;
    current.push({
      id: record.id,
      account: record.account,
      state: record.state,
      share: record.share,
      expiresAt: record.expiresAt,
    });
  }
  return {
    ...buffer.definition,
    size: buffer.size,
    builtin: buffer.builtin,
    state: stateOf(buffer),
    current,
    occupied: buffer.occupants.size,
    waiting: buffer.queue.length,
  };
}

function stateOf({ occupants, device }: Buffer<Live>): BufferView["state"] {
  let best: BufferView["state"] = device.isReady ? "free" : "lost";
  for (const { record } of occupants) {
    if (record.state === "active") return "lent";
    best = record.state === "revoking" ? "revoking" : best === "revoking" ? best : "offered";
  }
  return best;
}

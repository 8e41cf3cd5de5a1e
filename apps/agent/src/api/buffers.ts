import { MAX_PAGE } from "@lendbuf/shared/api";
import type { BufferView, Occupancy } from "@lendbuf/shared/buffer";
import { AgentError } from "@lendbuf/shared/errors";
import { sees } from "../accounts/permission.ts";
import type { Buffer as LendableOf } from "../buffers/buffer.ts";
import { peek, poke } from "../buffers/words.ts";
import type { Context } from "../context.ts";
import type { Caller, Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { paged } from "./page.ts";
import { states } from "./states.ts";
import { input, type Output, router, subscription } from "./trpc.ts";

type LendableBuffer = LendableOf<Live>;

export const buffersRouter = router({
  list: input("buffers.list").query(({ ctx, input: { limit, ...query } }): Output<"buffers.list"> => {
    const { found, total } = ctx.core.buffers.query(query);
    return paged(
      ctx,
      found,
      limit,
      total,
      (buffer) => view(ctx.core, buffer, ctx.caller),
      ({ name }) => name,
    );
  }),
  get: input("buffers.get").query(
    ({ ctx: { core, caller }, input }): Output<"buffers.get"> => view(core, core.buffers.get(input.name), caller),
  ),
  /** Of the buffers that somebody has or waits for; all others are free. */
  watch: subscription("buffers.watch").subscription(({ ctx }) =>
    states(ctx, ctx.core.ledger.changed, (): Output<"buffers.watch"> => {
      const taken = takenBuffers(ctx.core);
      const { items, total } = paged(
        ctx,
        taken,
        MAX_PAGE,
        taken.length,
        (buffer) => occupancyOf(ctx.core, buffer, ctx.caller),
        ({ name }) => name,
      );
      return { items, total };
    }),
  ),
  read: input("buffers.read").query(
    async ({ ctx, input: { name, offset, length } }): Promise<Output<"buffers.read">> => {
      const buffer = ctx.core.buffers.get(name);
      requireView(ctx, buffer);
      if (offset + length > buffer.size) {
        throw new AgentError(
          "BAD_INPUT",
          `Bytes ${offset} to ${offset + length} are not in "${name}", which has ${buffer.size}.`,
        );
      }
      const { region, ranges } = buffer.definition;
      const warden = buffer.device.readyWarden();
      const { exporter: kind, mappable, scope } = buffer.device.exporter(null);
      if (!mappable || scope !== "buffer")
        throw new AgentError(
          "UNSUPPORTED",
          `The memory of ${buffer.device.name} cannot be looked at from here: this kernel's exports of it cannot be mapped, or not be taken back one by one.`,
        );
      const bytes = await ctx.core.views.read(warden, { kind, region, ranges }, offset, length);
      requireView(ctx, buffer); // meanwhile it may have become somebody else's
      return { offset, bytes: Buffer.from(bytes).toString("base64"), at: Date.now() };
    },
  ),
  /** A mutation: to a device a load can be a command, as of a register that reading clears. */
  peek: input("buffers.peek").mutation(({ ctx, input: { name, count, ...word } }): Promise<Output<"buffers.peek">> => {
    return peek(ctx.core.buffers.get(name), word, count);
  }),
  poke: input("buffers.poke").mutation(
    async ({ ctx, input: { name, value, ...word } }): Promise<Output<"buffers.poke">> => {
      const { core, caller } = ctx;
      const buffer = core.buffers.get(name);
      const stored = await poke(buffer, word, value, caller.actor, core.store);
      const lentTo = occupancyOf(core, buffer, caller).current.filter(({ state }) => state === "active");
      return { ...word, value: stored, lentTo: lentTo.map(({ id, account }) => ({ id, account })), at: Date.now() };
    },
  ),
  define: input("buffers.define").mutation(({ ctx, input }): Output<"buffers.define"> => {
    const buffer = ctx.core.buffers.define(input, ctx.caller.actor);
    ctx.core.between.prepare(buffer);
    ctx.core.changed.notify();
    return view(ctx.core, buffer, ctx.caller);
  }),
  lift: input("buffers.lift").mutation(({ ctx, input }): Output<"buffers.lift"> => {
    const buffer = ctx.core.buffers.get(input.name);
    ctx.core.between.lift(buffer, ctx.caller.actor);
    return view(ctx.core, buffer, ctx.caller);
  }),
  remove: input("buffers.remove").mutation(async ({ ctx, input }): Promise<Output<"buffers.remove">> => {
    // Nobody may get its memory under another name while it is written over.
    await ctx.core.between.settled(ctx.core.buffers.get(input.name));
    ctx.core.buffers.remove(input.name, ctx.caller.actor);
    ctx.core.changed.notify();
    return null;
  }),
});

/** At most so many of those who share a buffer are named. */
const MAX_NAMED = 10;

function view(core: Core, buffer: LendableBuffer, caller: Caller): BufferView {
  return { ...buffer.definition, size: buffer.size, builtin: buffer.builtin, ...occupancyOf(core, buffer, caller) };
}

function occupancyOf(core: Core, buffer: LendableBuffer, caller: Caller): Occupancy {
  const current: Occupancy["current"] = [];
  for (const { record } of buffer.occupants) {
    if (current.length === MAX_NAMED) break;
    if (!sees(core, caller, record.account)) continue;
    const { id, account, state, share, expiresAt } = record;
    current.push({ id, account, state, share, expiresAt });
  }
  return {
    name: buffer.name,
    state: stateOf(buffer),
    current,
    occupied: buffer.occupants.size,
    waiting: buffer.queue.length,
    held: buffer.between.hold,
  };
}

/** In order of their names. What is left of an earlier agent's exports stands for itself and takes no buffer. */
function takenBuffers(core: Core): LendableBuffer[] {
  const taken = new Set<LendableBuffer>(core.between.withheld);
  for (const { target } of core.ledger.live.values()) {
    const isTaken = target.occupants.size + target.queue.length > 0;
    if (isTaken && core.buffers.find(target.name) === target) taken.add(target);
  }
  return [...taken].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Who operates may look at all memory, others at what they have. @throws AgentError NOT_YOURS */
function requireView({ caller }: Context, buffer: LendableBuffer): void {
  if (caller.isOperator) return;
  for (const { record } of buffer.occupants) if (record.account === caller.account && record.state === "active") return;
  throw new AgentError(
    "NOT_YOURS",
    `Buffer "${buffer.name}" is not lent to ${caller.account}. Borrow it to see what is in it.`,
  );
}

function stateOf({ occupants, device, between }: LendableBuffer): BufferView["state"] {
  const ready = between.hold ? "held" : between.doing ? "preparing" : "free";
  let best: BufferView["state"] = device.isReady ? ready : "lost";
  for (const { record } of occupants) {
    if (record.state === "active") return "lent";
    best = record.state === "revoking" ? "revoking" : best === "revoking" ? best : "offered";
  }
  return best;
}

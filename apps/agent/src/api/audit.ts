import type { AuditEntry, Holding } from "@lendbuf/shared/audit";
import { tracked } from "@trpc/server";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import type { AuditFilter } from "../store/condition.ts";
import { toEntry } from "../store/entry.ts";
import { exported } from "../store/export.ts";
import { type HeldThen, heldAt } from "../store/holdings.ts";
import { verifyAudit } from "../store/verify.ts";
import { paged } from "./page.ts";
import { input, type Output, router, subscription } from "./trpc.ts";

export const auditRouter = router({
  list: input("audit.list").query(async ({ ctx, input: { limit, ...filter } }): Promise<Output<"audit.list">> => {
    const { store, search } = ctx.core;
    const rows = await search.find(filter, limit + 1);
    return paged(ctx, rows, limit, store.head.seq, toEntry, ({ seq }) => seq);
  }),
  /** A stream of events: every entry after `after`, or from now on, each with its seq to resume from. */
  watch: subscription("audit.watch").subscription(async function* ({ ctx, input }) {
    const { store, audited } = ctx.core;
    let after = input.after ?? store.head.seq;
    while (!ctx.signal.aborted) {
      const next = audited.next(ctx.signal);
      await ctx.room?.();
      const { entries, seen } = await entriesAfter(ctx.core, after, input);
      for (const entry of entries) yield tracked(String(entry.seq), entry satisfies Output<"audit.watch">);
      if (seen === after) await next;
      else await new Promise((resolve) => setImmediate(resolve)); // a long audit must not keep everybody else waiting
      after = seen;
    }
  }),
  who: input("audit.who").query(async ({ ctx, input }): Promise<Output<"audit.who">> => {
    const { buffer, at, cursor, limit } = input;
    const held: HeldThen[] = [];
    for await (const one of heldAt(ctx.core.store, buffer, at, cursor)) held.push(one);
    return paged(ctx, held, limit, held.length, holdingOf(ctx.core), ({ delegation }) => delegation.id);
  }),
  export: subscription("audit.export").subscription(async function* ({ ctx, input: { format, ...filter } }) {
    const rows = ctx.core.search.rows(filter, "ASC");
    for await (const { seq, text } of exported(rows, format)) {
      if (ctx.signal.aborted) return;
      await ctx.room?.();
      yield tracked(String(seq), { text } satisfies Output<"audit.export">);
    }
  }),
  head: input("audit.head").query(({ ctx }): Output<"audit.head"> => {
    const { seq, hash } = ctx.core.store.head;
    return { seq, hash };
  }),
  verify: input("audit.verify").query(async ({ ctx, input }): Promise<Output<"audit.verify">> => {
    return verifyAudit(ctx.core.store, input.head);
  }),
});

const AT_ONCE = 100;

/** The next of those that fit, and how far the audit has been looked at for them. */
async function entriesAfter(
  { store, search }: Context["core"],
  after: number,
  filter: AuditFilter,
): Promise<{ entries: AuditEntry[]; seen: number }> {
  const until = store.head.seq;
  const entries = (await search.find({ ...filter, after, before: until + 1 }, AT_ONCE)).map(toEntry);
  return { entries, seen: entries.length === AT_ONCE ? entries.at(-1)!.seq : until };
}

function holdingOf(core: Core): (held: HeldThen) => Holding {
  return ({ id, ...then }) => ({ ...then, delegation: core.ledger.view(id) });
}

import { tracked } from "@trpc/server";
import { listAudit, verifyAudit } from "../store/audit.ts";
import { paged } from "./page.ts";
import { input, type Output, router, subscription } from "./trpc.ts";

export const auditRouter = router({
  list: input("audit.list").query(({ ctx, input }): Output<"audit.list"> => {
    const { store } = ctx.core;
    const entries = listAudit(store, { ...input, limit: input.limit + 1 });
    return paged(
      ctx,
      entries,
      input.limit,
      store.head.seq,
      (entry) => entry,
      ({ seq }) => seq,
    );
  }),
  /** The one stream of events: every entry after `after`, or from now on, each with its seq to resume from. */
  watch: subscription("audit.watch").subscription(async function* ({ ctx, input }) {
    const { store, audited } = ctx.core;
    let after = input.after ?? store.head.seq;
    while (!ctx.signal.aborted) {
      const next = audited.next(ctx.signal);
      await ctx.room?.();
      const entries = listAudit(store, { after, limit: 100 });
      for (const entry of entries) {
        yield tracked(String(entry.seq), entry satisfies Output<"audit.watch">);
        after = entry.seq;
      }
      if (entries.length === 0) await next;
      else await new Promise((resolve) => setImmediate(resolve)); // a long audit must not keep everybody else waiting
    }
  }),
  verify: input("audit.verify").query(async ({ ctx }): Promise<Output<"audit.verify">> => {
    return verifyAudit(ctx.core.store);
  }),
});

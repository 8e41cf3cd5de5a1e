import { accountFor } from "../accounts/permission.ts";
import { explain } from "../policy/decide.ts";
import { paged } from "./page.ts";
import { input, type Output, router } from "./trpc.ts";

export const policyRouter = router({
  /** In the order in which they count. */
  list: input("policy.list").query(({ ctx, input: { cursor, limit } }): Output<"policy.list"> => {
    const { rules } = ctx.core.policy;
    const rest = cursor === undefined ? rules : rules.slice(rules.findIndex(({ name }) => name === cursor) + 1);
    return paged(
      ctx,
      rest,
      limit,
      rules.length,
      (rule) => rule,
      ({ name }) => name,
    );
  }),
  define: input("policy.define").mutation(
    ({ ctx: { core, caller }, input }): Output<"policy.define"> => core.policy.define(input, caller.actor),
  ),
  remove: input("policy.remove").mutation(({ ctx: { core, caller }, input: { name } }): Output<"policy.remove"> => {
    core.policy.remove(name, caller.actor);
    return null;
  }),
  explain: input("policy.explain").query(({ ctx: { core, caller }, input }): Output<"policy.explain"> => {
    const account = accountFor(core, caller, "policy.explain", input.account);
    return explain(core, account, core.buffers.get(input.buffer));
  }),
});

import type { Account } from "@lendbuf/shared/account";
import { cutOff, requireNothingOf } from "../revocation/cut-off.ts";
import { enforced } from "../store/enforced.ts";
import { paged } from "./page.ts";
import { setPassword } from "./passwords.ts";
import { input, type Output, router } from "./trpc.ts";

export const accountsRouter = router({
  list: input("accounts.list").query(({ ctx, input: { cursor = "", limit } }): Output<"accounts.list"> => {
    const all = ctx.core.accounts.all();
    const rest = all.filter(({ name }) => name > cursor);
    return paged(
      ctx,
      rest,
      limit,
      all.length,
      (account) => account,
      ({ name }) => name,
    );
  }),
  create: input("accounts.create").mutation(({ ctx: { core, caller }, input }): Output<"accounts.create"> => {
    for (const uid of input.uids) requireNothingOf(core, `uid:${uid}`);
    return core.accounts.create({ ...input, disabled: false, source: "store", createdAt: Date.now() }, caller.actor);
  }),
  update: input("accounts.update").mutation(
    async ({ ctx: { core, caller }, input: { name, ...changes } }): Promise<Output<"accounts.update">> => {
      const before = core.accounts.get(name);
      for (const uid of changes.uids ?? []) if (!before.uids.includes(uid)) requireNothingOf(core, `uid:${uid}`);
      const patch = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
      const account = core.accounts.update(name, patch as Partial<Account>, caller.actor);
      if (account.disabled) await cutOff(core, name, caller.actor);
      return account;
    },
  ),
  remove: input("accounts.remove").mutation(async ({ ctx, input: { name } }): Promise<Output<"accounts.remove">> => {
    ctx.core.accounts.remove(name, ctx.caller.actor);
    enforced(() => ctx.core.passwords.remove(name, ctx.caller.actor));
    await cutOff(ctx.core, name, ctx.caller.actor);
    return null;
  }),
  setPassword: input("accounts.setPassword").mutation(
    async ({ ctx, input }): Promise<Output<"accounts.setPassword">> => {
      await setPassword(ctx, input);
      return null;
    },
  ),
});

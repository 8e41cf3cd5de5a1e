import type { Account } from "@lendbuf/shared/account";
import { AgentError } from "@lendbuf/shared/errors";
import type { Context } from "../context.ts";
import { cancelAll } from "../reservations/cancel.ts";
import { end, ended } from "../revocation/end.ts";
import { enforced } from "./enforced.ts";
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
    return core.accounts.create({ ...input, disabled: false, createdAt: Date.now() }, caller.actor);
  }),
  update: input("accounts.update").mutation(
    async ({ ctx, input: { name, ...changes } }): Promise<Output<"accounts.update">> => {
      const { core, caller } = ctx;
      const before = core.accounts.get(name);
      for (const uid of changes.uids ?? []) if (!before.uids.includes(uid)) requireNothingOf(core, `uid:${uid}`);
      const patch = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
      const account = core.accounts.update(name, patch as Partial<Account>, caller.actor);
      if (account.disabled) await cutOff(ctx, name);
      return account;
    },
  ),
  remove: input("accounts.remove").mutation(async ({ ctx, input: { name } }): Promise<Output<"accounts.remove">> => {
    ctx.core.accounts.remove(name, ctx.caller.actor);
    enforced(() => ctx.core.passwords.remove(name, ctx.caller.actor));
    await cutOff(ctx, name);
    return null;
  }),
  setPassword: input("accounts.setPassword").mutation(
    async ({ ctx, input }): Promise<Output<"accounts.setPassword">> => {
      await setPassword(ctx, input);
      return null;
    },
  ),
});

/** Whose uid gets a name is another account from then on, to which nothing that it had would belong. @throws AgentError IN_USE */
function requireNothingOf({ ledger, reservations, tokens, sessions }: Context["core"], account: string): void {
  const { total } = ledger.countOf(account);
  const waysIn = tokens.list(account).length + sessions.list(account).length;
  const reserved = reservations.countOf(account);
  if (total + waysIn + reserved === 0) return;
  throw new AgentError(
    "IN_USE",
    `${account} has ${total} live delegations, ${reserved} reservations and ${waysIn} tokens and sessions, which would be nobody's. End them first: \`lendbuf delegations --account ${account}\`, \`lendbuf token list\` and \`lendbuf session list\` name them.`,
  );
}

/** All that an account has, and all its ways in: it has no role any more, so nothing new can come of what is still under way. */
async function cutOff({ core, caller }: Context, account: string): Promise<void> {
  const lives = [...core.ledger.live.values()].filter(({ record }) => record.account === account);
  const isActive = ({ record }: (typeof lives)[number]) => record.state === "active";
  end(core, lives.filter(isActive), "operator", caller.actor);
  end(
    core,
    lives.filter((live) => !isActive(live) && live.record.state !== "revoking"),
    "operator",
    caller.actor,
  );
  cancelAll(core, account, caller.actor);
  core.doors.dismiss(account);
  core.sessions.endAll(account, caller.actor);
  for (const { id } of core.tokens.list(account)) enforced(() => core.tokens.remove(id, account, caller.actor));
  await ended(core, lives, core.config.confirmMs);
}

import { AgentError } from "@lendbuf/shared/errors";
import { mayTouch, mayTouchOthers } from "@lendbuf/shared/permissions";
import { uidOf } from "../accounts/accounts.ts";
import { nameOf } from "../accounts/host-users.ts";
import { accountFor } from "../accounts/permission.ts";
import type { Context } from "../context.ts";
import { input, type Output, router } from "./trpc.ts";

export const sessionsRouter = router({
  me: input("sessions.me").query(({ ctx: { core, caller } }): Output<"sessions.me"> => {
    const { account, role } = caller;
    const uid = uidOf(account);
    const name = uid === undefined ? null : nameOf(uid);
    return { account, name, role: role!, hasPassword: core.passwords.has(account) };
  }),
  createLink: input("sessions.createLink").mutation(
    ({ ctx: { core, caller }, input }): Output<"sessions.createLink"> => {
      const account = accountFor(core, caller, "sessions.createLink", input.account);
      // A page or token that was stolen must not become another one of the same account.
      if (caller.door === "token" || (caller.door === "session" && account === caller.account))
        throw new AgentError("WRONG_DOOR", "A login link is made by a program on the agent's host: `lendbuf login`.");
      const url = core.doors.remoteUrl ?? core.doors.url;
      if (!url) throw new AgentError("NOT_READY", "The dashboard's door is not open.");
      const { secret, expiresAt } = core.sessions.createLink(account);
      return { url: `${url}/#login=${secret}`, expiresAt };
    },
  ),
  list: input("sessions.list").query(
    ({ ctx: { core, caller } }): Output<"sessions.list"> =>
      core.sessions
        .list(mayTouchOthers(caller.role, "sessions.list") ? undefined : caller.account)
        .map((session) => ({ ...session, isCurrent: session.id === caller.credential })),
  ),
  end: input("sessions.end").mutation(({ ctx, input: { id } }): Output<"sessions.end"> => {
    own(ctx, "sessions.end", ctx.core.sessions.list(), id);
    ctx.core.sessions.end(id, ctx.caller.actor);
    return null;
  }),
});

export const tokensRouter = router({
  create: input("tokens.create").mutation(
    ({ ctx: { core, caller }, input: { account: wanted, ...wish } }): Output<"tokens.create"> => {
      if (caller.door === "token")
        throw new AgentError(
          "WRONG_DOOR",
          "A token cannot make another. Use `lendbuf token create` on the agent's host, or the dashboard.",
        );
      const account = accountFor(core, caller, "tokens.create", wanted);
      return core.tokens.create({ account, ...wish }, caller.actor);
    },
  ),
  list: input("tokens.list").query(
    ({ ctx: { core, caller } }): Output<"tokens.list"> =>
      core.tokens.list(mayTouchOthers(caller.role, "tokens.list") ? undefined : caller.account),
  ),
  remove: input("tokens.remove").mutation(({ ctx, input: { id } }): Output<"tokens.remove"> => {
    const { account } = own(ctx, "tokens.remove", ctx.core.tokens.list(), id);
    ctx.core.tokens.remove(id, account, ctx.caller.actor);
    return null;
  }),
});

/** Somebody else's is as unknown as none. @throws AgentError NOT_FOUND */
function own<Owned extends { id: string; account: string }>(
  { caller }: Context,
  method: "sessions.end" | "tokens.remove",
  all: readonly Owned[],
  id: string,
): Owned {
  const found = all.find((one) => one.id === id);
  if (found && mayTouch(caller, method, found.account)) return found;
  throw new AgentError("NOT_FOUND", `There is no ${method === "sessions.end" ? "session" : "token"} "${id}" of yours.`);
}

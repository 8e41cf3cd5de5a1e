import { AgentError } from "@lendbuf/shared/errors";
import { uidOf } from "../accounts/caller.ts";
import { nameOf } from "../accounts/names.ts";
import type { Context } from "../context.ts";
import { input, type Output, router } from "./trpc.ts";

export const sessionsRouter = router({
  me: input("sessions.me").query(({ ctx: { caller } }): Output<"sessions.me"> => {
    const { account, isOperator } = caller;
    return { account, name: nameOf(uidOf(account)), isOperator };
  }),
  createLink: input("sessions.createLink").mutation(({ ctx: { core, caller } }): Output<"sessions.createLink"> => {
    if (caller.door !== "socket")
      throw new AgentError("WRONG_DOOR", "A login link is made by a program on the agent's host: `lendbuf login`.");
    if (!core.doors.url) throw new AgentError("NOT_READY", "The dashboard's door is not open.");
    const { secret, expiresAt } = core.sessions.createLink(caller.account);
    return { url: `${core.doors.url}/#login=${secret}`, expiresAt };
  }),
  list: input("sessions.list").query(
    ({ ctx: { core, caller } }): Output<"sessions.list"> =>
      core.sessions
        .list(caller.isOperator ? undefined : caller.account)
        .map((session) => ({ ...session, isCurrent: session.id === caller.credential })),
  ),
  end: input("sessions.end").mutation(({ ctx, input: { id } }): Output<"sessions.end"> => {
    own(ctx, ctx.core.sessions.list(), id, "session");
    ctx.core.sessions.end(id, ctx.caller.actor);
    return null;
  }),
});

export const tokensRouter = router({
  create: input("tokens.create").mutation(({ ctx: { core, caller }, input }): Output<"tokens.create"> => {
    if (caller.door === "token")
      throw new AgentError(
        "WRONG_DOOR",
        "A token cannot make another. Use `lendbuf token create` on the agent's host, or the dashboard.",
      );
    return core.tokens.create(caller.account, input, caller.actor);
  }),
  list: input("tokens.list").query(
    ({ ctx: { core, caller } }): Output<"tokens.list"> =>
      core.tokens.list(caller.isOperator ? undefined : caller.account),
  ),
  remove: input("tokens.remove").mutation(({ ctx, input: { id } }): Output<"tokens.remove"> => {
    const { account } = own(ctx, ctx.core.tokens.list(), id, "token");
    ctx.core.tokens.remove(id, account, ctx.caller.actor);
    return null;
  }),
});

/** Somebody else's is as unknown as none. @throws AgentError NOT_FOUND */
function own<Owned extends { id: string; account: string }>(
  { caller }: Context,
  all: readonly Owned[],
  id: string,
  what: string,
): Owned {
  const found = all.find((one) => one.id === id);
  if (found && (caller.isOperator || found.account === caller.account)) return found;
  throw new AgentError("NOT_FOUND", `There is no ${what} "${id}" of yours.`);
}

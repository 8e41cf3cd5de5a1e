import type { Input } from "@lendbuf/shared/api";
import { AgentError } from "@lendbuf/shared/errors";
import { mayCall, mayTouch } from "@lendbuf/shared/permissions";
import { accountFor } from "../accounts/permission.ts";
import type { Context } from "../context.ts";
import type { Caller, Core } from "../core.ts";
import { enforced } from "../store/enforced.ts";

const METHOD = "accounts.setPassword";
/** A page that was signed in so lately that it is still the one who did it. */
const FRESH_MS = 10 * 60_000;

/** Sets or takes away a password, and ends what came in with the one before. @throws AgentError */
export async function setPassword(
  { core, caller }: Context,
  { account: wanted, password, current }: Input<typeof METHOD>,
): Promise<void> {
  if (caller.door === "token")
    throw new AgentError(
      "WRONG_DOOR",
      "A token cannot set a password, which is another way in. Use `lendbuf account password`, or the dashboard.",
    );
  const account = accountFor(core, caller, METHOD, wanted);
  const isOwn = account === caller.account;
  if (isOwn) await requireProof(core, caller, { isTakenAway: password === null, current });
  if (password === null) enforced(() => core.passwords.remove(account, caller.actor));
  else await set(core, caller, account, password);
  core.sessions.endAll(account, caller.actor, caller.credential);
}

function set(core: Core, caller: Caller, account: string, password: string): Promise<void> {
  const version = core.passwords.versionOf(account);
  return core.passwords.set({
    account,
    password,
    mustChange: account !== caller.account,
    actor: caller.actor,
    source: sourceOf(caller),
    isStillWanted: () =>
      core.passwords.versionOf(account) === version &&
      mayCall(caller.role, METHOD) &&
      mayTouch(caller, METHOD, account) &&
      (caller.door !== "session" || sessionOf(core, caller) !== undefined),
  });
}

/** A page that somebody left open, or that was taken over, must not become a way in for good. @throws AgentError */
async function requireProof(
  core: Core,
  caller: Caller,
  { isTakenAway, current }: { isTakenAway: boolean; current: string | undefined },
): Promise<void> {
  const { account, door } = caller;
  if (!core.passwords.has(account)) return requireFreshness(core, caller);
  if (door === "socket" && isTakenAway) return;
  if (current === undefined)
    throw new AgentError("BAD_INPUT", `${account} has a password: give the current one too, to change it.`);
  const checked = await core.passwords.check(account, current, sourceOf(caller));
  if (checked.state === "wait")
    throw new AgentError(
      "LIMIT",
      `The current password was wrong too often. Try again in ${Math.ceil(checked.waitMs / 1000)} s.`,
    );
  if (checked.state === "wrong")
    throw new AgentError("NOT_ALLOWED", "The current password is wrong. Nothing was changed.");
}

function requireFreshness(core: Core, caller: Caller): void {
  if (caller.door !== "session") return;
  const { createdAt } = sessionOf(core, caller)!;
  if (createdAt > Date.now() - FRESH_MS) return;
  throw new AgentError(
    "NOT_ALLOWED",
    "A first password is set within ten minutes of signing in. Sign in anew, or use `lendbuf account password`.",
  );
}

function sessionOf({ sessions }: Core, { account, credential }: Caller) {
  return sessions.list(account).find(({ id }) => id === credential);
}

function sourceOf({ account, credential }: Caller): string {
  return credential ?? account;
}

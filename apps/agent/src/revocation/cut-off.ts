import { AgentError } from "@lendbuf/shared/errors";
import type { Core } from "../core.ts";
import { cancelAll } from "../reservations/cancel.ts";
import { enforced } from "../store/enforced.ts";
import { end, ended } from "./end.ts";

/** Whose uid gets a name is another account from then on, to which nothing that it had would belong. @throws AgentError IN_USE */
export function requireNothingOf({ ledger, reservations, tokens, sessions }: Core, account: string): void {
  const { total } = ledger.countOf(account);
  const waysIn = tokens.list(account).length + sessions.list(account).length;
  const reserved = reservations.countOf(account);
  if (total + waysIn + reserved === 0) return;
  throw new AgentError(
    "IN_USE",
    `${account} has ${total} live delegations, ${reserved} reservations and ${waysIn} tokens and sessions, which would be nobody's. End them first: \`lendbuf delegations --account ${account}\`, \`lendbuf token list\` and \`lendbuf session list\` name them.`,
  );
}

/** Ends all that an account has, and all its ways in: it has no role any more, so nothing new can come of what is still under way. */
export async function cutOff(core: Core, account: string, actor: string): Promise<void> {
  const lives = [...core.ledger.live.values()].filter(({ record }) => record.account === account);
  const isActive = ({ record }: (typeof lives)[number]) => record.state === "active";
  end(core, lives.filter(isActive), "operator", actor);
  end(
    core,
    lives.filter((live) => !isActive(live) && live.record.state !== "revoking"),
    "operator",
    actor,
  );
  cancelAll(core, account, actor);
  core.doors.dismiss(account);
  core.sessions.endAll(account, actor);
  for (const { id } of core.tokens.list(account)) enforced(() => core.tokens.remove(id, account, actor));
  await ended(core, lives, core.config.confirmMs);
}

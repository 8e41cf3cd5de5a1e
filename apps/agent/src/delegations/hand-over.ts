import { outcomeOf } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Caller, Core } from "../core.ts";
import { checkPolicy } from "../policy/decide.ts";
import { end } from "../revocation/end.ts";
import { BLANK, type Live, termsOf } from "./live.ts";
import { startWait } from "./queue.ts";
import { checkDrained, checkLimits } from "./request.ts";

/**
 * Gives what is left of a lease to another account: a delegation of that account is first in line, for until then at the latest, and this one ends.
 * Once its end is proven the other is offered. Killed in between, the next agent finds the one in line and the other ended.
 * @throws AgentError NOT_READY, ENDED, BAD_INPUT, DRAINED, LIMIT, STORE_READ_ONLY, and then nothing has changed
 */
export function handOver(core: Core, caller: Caller, live: Live, account: string, offerMs: number): Live {
  const { record, target } = live;
  const { id, state } = record;
  const outcome = outcomeOf("hand-over", state);
  if (outcome === "NOT_READY")
    throw new AgentError(
      "NOT_READY",
      `Delegation ${id} is ${state}: there is no lease yet to hand over. Claim it first.`,
    );
  if (outcome === "ENDED" || live.leaseEndsAt === null)
    throw new AgentError("ENDED", `Delegation ${id} is ${state} (${record.reason}); there is nothing to hand over.`);
  if (account === record.account)
    throw new AgentError("BAD_INPUT", `Delegation ${id} is ${account}'s already. Name another account.`);
  checkDrained(target.device);
  checkLimits(core, account, false);
  const now = Date.now();
  const leftMs = Math.max(1, Math.min(live.leaseEndsAt, live.announced?.at ?? live.leaseEndsAt) - core.clock.now());
  checkPolicy(core, account, target, { use: "borrow", leaseMs: leftMs });
  const terms = { ...termsOf(record), account, requestedBy: caller.account, offerMs };
  const time = { leaseMs: Math.ceil(leftMs), until: now + Math.floor(leftMs), requestedAt: now };
  const heir = core.ledger.create({ ...BLANK, ...terms, ...time, state: "waiting", renews: id }, target, {
    actor: caller.actor,
    action: "delegation.handed-over",
  });
  startWait(core, heir);
  end(core, [live], "handed-over", caller.actor);
  return heir;
}

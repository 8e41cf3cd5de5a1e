import { outcomeOf } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Caller, Core } from "../core.ts";
import { tellDeadline } from "./deadline.ts";
import type { Live } from "./live.ts";
import { checkLease } from "./request.ts";

/** Adds to what is left of a lease. @throws AgentError NOT_READY, ENDED, LIMIT, STORE_READ_ONLY */
export function extend(core: Core, caller: Caller, live: Live, byMs: number): void {
  const { id, state, expiresAt, leaseMs } = live.record;
  const outcome = outcomeOf("extend", state);
  if (outcome === "NOT_READY")
    throw new AgentError("NOT_READY", `Delegation ${id} is ${state}: its lease begins when it is claimed.`);
  if (outcome === "ENDED" || live.leaseEndsAt === null || expiresAt === null) {
    throw new AgentError("ENDED", `Delegation ${id} is ${state} (${live.record.reason}). Ask for a new one.`);
  }
  if (live.announced)
    throw new AgentError(
      "NOT_ALLOWED",
      `The end of delegation ${id} has been announced by ${live.announced.actor}; it cannot be extended.`,
    );
  const left = live.leaseEndsAt - core.clock.now();
  checkLease(core, left + byMs);
  core.ledger.grant(live, {
    actor: caller.actor,
    action: "delegation.extended",
    patch: { expiresAt: expiresAt + byMs, leaseMs: leaseMs + byMs, ending: null },
  });
  live.leaseEndsAt += byMs;
  live.noticeAt = live.leaseEndsAt - Math.min(core.config.noticeMs, byMs / 10);
  core.ledger.schedule(live);
  tellDeadline(live);
}

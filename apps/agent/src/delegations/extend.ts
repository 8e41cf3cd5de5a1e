import type { Input } from "@lendbuf/shared/api";
import { outcomeOf } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { AgentError } from "@lendbuf/shared/errors";
import { firstInTheWay } from "../buffers/ahead.ts";
import type { Caller, Core } from "../core.ts";
import { checkPolicy } from "../policy/decide.ts";
import { tellDeadline } from "./deadline.ts";
import { runOut } from "./lease.ts";
import type { Live } from "./live.ts";
import { checkLease, iso } from "./request.ts";

type Extension = Pick<Input<"delegations.extend">, "byMs" | "shorten">;

/** Adds to what is left of a lease, or takes from it where that was said. @throws AgentError NOT_READY, ENDED, NOT_ALLOWED, BAD_INPUT, LIMIT, STORE_READ_ONLY */
export function extend(core: Core, caller: Caller, live: Live, { byMs, shorten = false }: Extension): void {
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
  const added = byMs < 0 ? checkShorter(id, left, byMs, shorten) : addable(core, live, left, byMs, shorten);
  if (added > 0) checkPolicy(core, live.record.account, live.target, { use: "extend", leaseMs: left + added }, live);
  core.ledger.grant(live, {
    actor: caller.actor,
    action: byMs < 0 ? "delegation.shortened" : "delegation.extended",
    patch: { expiresAt: expiresAt + added, leaseMs: leaseMs + added, ending: null },
  });
  runOut(core, live, live.leaseEndsAt + added);
  tellDeadline(live);
}

/** @throws AgentError BAD_INPUT */
function checkShorter(id: number, left: number, byMs: number, isMeant: boolean): number {
  if (!isMeant)
    throw new AgentError(
      "BAD_INPUT",
      `The lease of delegation ${id} would become ${formatDuration(-byMs)} shorter. Say so with shorten: true (lendbuf shorten).`,
    );
  if (left + byMs > 0) return byMs;
  throw new AgentError(
    "BAD_INPUT",
    `Delegation ${id} has ${formatDuration(left)} left, which is not more than ${formatDuration(-byMs)}. Give it back instead: lendbuf release ${id}.`,
  );
}

/** All of it, or where less will do as much as there is room for. @throws AgentError LIMIT, RESERVED */
function addable(core: Core, { record, target }: Live, left: number, byMs: number, lessWillDo: boolean): number {
  const { id } = record;
  const endsAt = Date.now() + left;
  const next = firstInTheWay(target.reservations, record, Date.now(), endsAt + byMs);
  const free = next ? Math.max(0, next.from - endsAt) : Number.POSITIVE_INFINITY;
  if (next && (!lessWillDo || free < 1))
    throw new AgentError(
      "RESERVED",
      `Buffer "${target.name}" is reserved from ${iso(next.from)} to ${iso(next.to)}: delegation ${id} can be extended by ${formatDuration(free)} at most (shorten: true takes what fits).`,
    );
  const room = Math.floor(Math.min(core.config.maxLeaseMs - left, free));
  if (!lessWillDo) checkLease(core, left + byMs);
  else if (room <= 0)
    throw new AgentError(
      "LIMIT",
      `Delegation ${id} has ${formatDuration(left)} left, as much as a lease may have here. Extend it later.`,
    );
  return lessWillDo ? Math.min(byMs, room) : byMs;
}

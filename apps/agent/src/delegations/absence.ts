import { AgentError } from "@lendbuf/shared/errors";
import type { Caller, Core } from "../core.ts";
import { leave } from "../revocation/triggers.ts";
import { startTimeOf } from "../wardens/start-time.ts";
import { alreadyEnded } from "./already-ended.ts";
import type { Claimant, Live } from "./live.ts";

/** A client that died while nobody watched is noticed within this time. */
const LOOK_AGAIN_MS = 500;

/** Gives the clients of adopted delegations the time to come back. Whose process has gone, or who does not come, has left. */
export function awaitClients(core: Core, lives: readonly Live[]): void {
  const until = core.clock.now() + core.config.adoptMs;
  const awaited = lives.filter(({ record }) => record.client !== null);
  for (const live of awaited) live.isAwaited = true;
  watch(core, awaited, until);
}

function watch(core: Core, lives: readonly Live[], until: number): void {
  const isOver = core.clock.now() >= until;
  const awaited = lives.filter(({ isAwaited, record }) => isAwaited && record.state === "active");
  const gone = awaited.filter((live) => isOver || !isAlive(live));
  for (const live of gone) live.isAwaited = false;
  leave(core, gone);
  const rest = awaited.filter(({ isAwaited }) => isAwaited);
  if (rest.length > 0) core.clock.at(Math.min(until, core.clock.now() + LOOK_AGAIN_MS), () => watch(core, rest, until));
}

function isAlive({ record }: Live): boolean {
  const startTime = record.export?.clientStart ?? null;
  return startTime !== null && startTimeOf(record.client!.pid) === startTime;
}

/**
 * Binds an adopted delegation to another connection of the process that had claimed it, as the kernel knows it. Idempotent.
 * @throws AgentError NOT_FOUND, NOT_YOURS, NOT_READY, ENDED, ALREADY_CLAIMED, CANCELLED
 */
export function resume(core: Core, caller: Caller, claimant: Claimant, id: number): Live {
  const live = core.ledger.live.get(id);
  const { account } = live?.record ?? core.ledger.view(id);
  if (account !== caller.account)
    throw new AgentError("NOT_YOURS", `Delegation ${id} belongs to ${account}; you are ${caller.account}.`);
  const state = live?.record.state;
  if (state === "waiting" || state === "offered")
    throw new AgentError(
      "NOT_READY",
      `Delegation ${id} is ${state}: nobody has had it yet. Claim it once it is offered.`,
    );
  if (live?.record.state !== "active") throw alreadyEnded(core, id);
  if (live.claimant === claimant) return live;
  const { client, export: exported } = live.record;
  if (!live.isAwaited || !client)
    throw new AgentError(
      "ALREADY_CLAIMED",
      `Delegation ${id} awaits nobody: only what an agent took over from the one before is resumed, within its --adopt-time, by the process that had claimed it.`,
    );
  if (claimant.pid !== client.pid || claimant.uid !== client.uid || claimant.startTime !== exported?.clientStart)
    throw new AgentError(
      "NOT_YOURS",
      `Delegation ${id} was claimed by pid ${client.pid}; you are pid ${claimant.pid}, and only that very process resumes it.`,
    );
  if (claimant.isClosed) throw new AgentError("CANCELLED", "The connection was closed before it resumed anything.");
  live.isAwaited = false;
  live.claimant = claimant;
  claimant.holding.add(live);
  core.ledger.settle([live], { actor: caller.actor, action: "delegation.resumed", patch: {} });
  return live;
}

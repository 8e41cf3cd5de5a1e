import type { EndReason } from "@lendbuf/shared/delegation";
import type { Core } from "../core.ts";
import { tellDeadline } from "../delegations/deadline.ts";
import type { Claimant, Live } from "../delegations/live.ts";
import { end } from "./end.ts";

/** One of the delegation's times has come. */
export function onDeadline(core: Core, live: Live): void {
  const now = core.clock.now();
  const due = (at: number | null | undefined): boolean => at != null && at <= now;
  const { state, reservation } = live.record;
  if (state === "offered" && due(live.lapsesAt))
    return end(core, [live], reservation === null ? "lapsed" : "no-show", "agent");
  if (state === "waiting" && due(live.lapsesAt)) return end(core, [live], "lapsed", "agent");
  if (state !== "active") return;
  if (due(live.announced?.at)) return end(core, [live], live.announced!.reason, live.announced!.actor);
  if (due(live.leaseEndsAt)) return end(core, [live], "expired", "agent");
  if (due(live.noticesAt[0])) warn(core, live, now);
  core.ledger.schedule(live);
}

/** Tells its client that the end is near; again at each notice. */
function warn(core: Core, live: Live, now: number): void {
  const { expiresAt, ending } = live.record;
  live.noticesAt = live.noticesAt.filter((at) => at > now);
  const told = (ending?.told ?? 0) + 1;
  if (ending && live.announced) core.ledger.show([live], { ending: { ...ending, told } });
  else if (expiresAt !== null) core.ledger.show([live], { ending: { reason: "expired", at: expiresAt, told } });
}

/** A client has gone: what it claimed ends with it, unless it was to be kept. */
export function onDisconnect(core: Core, claimant: Claimant): void {
  const held = [...claimant.holding].filter(({ record }) => record.state === "active");
  claimant.holding.clear();
  leave(core, held);
}

/** Nobody holds these active ones any more. */
export function leave(core: Core, held: readonly Live[]): void {
  const kept = held.filter(({ record }) => record.keep);
  for (const live of kept) live.claimant = null;
  core.ledger.settle(kept, { actor: "agent", action: "delegation.left", patch: { client: null } });
  end(
    core,
    held.filter(({ record }) => !record.keep),
    "disconnected",
    "agent",
  );
}

/** Tells the client now and takes the memory when the time is up. An earlier end stays as it is. */
export function announce(core: Core, live: Live, noticeMs: number, reason: EndReason, actor: string): void {
  const at = core.clock.now() + noticeMs;
  if (live.leaseEndsAt !== null && live.leaseEndsAt <= at) return;
  if (live.announced && live.announced.at <= at) return;
  live.announced = { at, reason, actor };
  core.ledger.settle([live], {
    actor,
    action: "delegation.announced",
    patch: { ending: { reason, at: Date.now() + noticeMs, told: 1 } },
  });
  live.noticesAt = core.config.noticesMs.filter((notice) => notice < noticeMs).map((notice) => at - notice);
  core.ledger.schedule(live);
  tellDeadline(live);
}

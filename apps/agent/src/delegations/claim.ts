import { closeSync } from "node:fs";
import { outcomeOf } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Buffer } from "../buffers/buffer.ts";
import { Signal } from "../clock/signal.ts";
import type { Caller, Core } from "../core.ts";
import { watchIdle } from "../holders/idle.ts";
import { checkPolicy } from "../policy/decide.ts";
import { end, revokeOldExport } from "../revocation/end.ts";
import { alreadyEnded } from "./already-ended.ts";
import { tellDeadline } from "./deadline.ts";
import { checkRevocable } from "./irrevocable.ts";
import { runOut } from "./lease.ts";
import type { Claimant, Live, LiveExport, Record } from "./live.ts";
import { checkDrained, consider, heldWords, request, type Wish } from "./request.ts";

/** Takes an offer up: the export is made and its fd is the answer. The fd stays the agent's; whoever sends it sends a copy. */
export async function claim(
  core: Core,
  caller: Caller,
  claimant: Claimant,
  id: number,
): Promise<{ live: Live; fd: () => number }> {
  const live = core.ledger.live.get(id);
  const { account } = live?.record ?? core.ledger.view(id);
  if (account !== caller.account)
    throw new AgentError(
      "NOT_YOURS",
      `Delegation ${id} belongs to ${account}; you are ${caller.account}. Only its account can claim it.`,
    );
  if (!live) throw alreadyEnded(core, id);
  const outcome = outcomeOf("claim", live.record.state);
  if (outcome === "NOT_READY")
    throw new AgentError(
      "NOT_READY",
      `Delegation ${id} still waits in line, at place ${live.target.queue.indexOf(live) + 1}. Follow it until it is offered.`,
    );
  if (outcome === "ENDED") throw alreadyEnded(core, id);
  const leaseMs = live.leaseEndsAt === null ? live.record.leaseMs : live.leaseEndsAt - core.clock.now();
  checkPolicy(core, account, live.target, { use: "borrow", leaseMs }, live); // which may have changed since it was asked for
  if (live.record.state === "offered") checkDrained(live.target.device);
  else await replaceOldExport(core, live);

  if (core.between.isBusy(live.target)) await core.between.settled(live.target);
  if (outcomeOf("claim", live.record.state) !== "active") throw alreadyEnded(core, id);
  checkPresent(claimant);
  const chosen = choose(core, account, live.target, live.record.exporter);
  core.ledger.grant(live, {
    actor: caller.actor,
    action: "delegation.claimed",
    patch: activation(core, live.record, claimant, chosen),
  });
  return { live, fd: await handOver(core, live, claimant, chosen) };
}

/** Request and claim in one. Where the buffer is taken and the wish waits, the call lasts until its turn; the signal of `stopOf` withdraws it. */
export async function borrow(
  core: Core,
  caller: Caller,
  claimant: Claimant,
  wish: Wish,
  stopOf: () => AbortSignal,
): Promise<{ live: Live; fd: () => number }> {
  await free(core, wish.buffer);
  checkPresent(claimant);
  const { target, fields, free: isNext } = consider(core, caller, wish, 0);
  if (isNext) {
    const chosen = choose(core, fields.account, target, fields.exporter);
    const active = activation(core, fields, claimant, chosen);
    const live = core.ledger.create({ ...fields, ...active }, target, {
      actor: caller.actor,
      action: "delegation.borrowed",
    });
    return { live, fd: await handOver(core, live, claimant, chosen) };
  }
  const { pid, uid, command } = claimant;
  const live = request(core, caller, wish, { pid, uid, command });
  const stop = stopOf();
  const changed = (live.changed ??= new Signal());
  while (live.record.state === "waiting" && !stop.aborted) await changed.next(stop);
  if (stop.aborted) {
    end(core, [live], claimant.isClosed ? "disconnected" : "withdrawn", caller.actor);
    throw new AgentError("CANCELLED", `The wait for "${wish.buffer}" was given up.`);
  }
  try {
    return await claim(core, caller, claimant, live.record.id);
  } catch (cause) {
    end(core, [live], claimant.isClosed ? "disconnected" : "withdrawn", caller.actor); // the caller was never told its id
    throw cause;
  }
}

/** A buffer that nobody has and nobody waits for is ready in a moment: nothing that the borrower should hear of. */
async function free(core: Core, name: string): Promise<void> {
  const buffer = core.buffers.get(name);
  if (core.between.isBusy(buffer) && buffer.occupants.size + buffer.queue.length === 0)
    await core.between.settled(buffer);
}

/** Who has gone can hold nothing, and nothing would end what it claimed. @throws AgentError CANCELLED */
function checkPresent(claimant: Claimant): void {
  if (claimant.isClosed) throw new AgentError("CANCELLED", "The connection was closed before the claim.");
}

/** By whom and by which way the memory is to be exported, and under which number. */
type Chosen = Pick<LiveExport, "warden" | "exporter" | "id">;

/** @throws AgentError DEVICE_LOST, UNSUPPORTED, NOT_ALLOWED */
function choose(core: Core, account: string, target: Buffer<Live>, wanted: Exporter | null): Chosen {
  const { device, between } = target;
  if (between.hold)
    throw new AgentError("NOT_READY", `${heldWords(target.name, between.hold)} Claim again when that is done.`);
  const warden = device.readyWarden();
  const exporter = device.exporter(wanted);
  checkRevocable(core, account, target, exporter);
  return { warden, exporter, id: warden.nextExportId() };
}

function activation(
  core: Core,
  { leaseMs: wished, expiresAt, until }: Pick<Record, "leaseMs" | "expiresAt" | "until">,
  claimant: Claimant,
  { warden, exporter, id }: Chosen,
) {
  const now = Date.now();
  const { pid, uid, command } = claimant;
  const leaseMs = until === null || expiresAt !== null ? wished : Math.max(1, Math.min(wished, until - now));
  return {
    state: "active",
    claimedAt: now,
    leaseMs,
    expiresAt: expiresAt ?? now + leaseMs, // claimed again, a lease goes on as it was
    offerEndsAt: null,
    client: { pid, uid, command },
    exporter: exporter.exporter,
    export: {
      warden: warden.instance,
      id,
      bootId: core.bootId,
      method: exporter.method,
      ...(core.config.adoptMs > 0 && { clientStart: claimant.startTime }),
    },
  } as const satisfies Partial<Record>;
}

/** The grant is on disk: make the export. From here on only `end` takes it back. */
async function handOver(core: Core, live: Live, claimant: Claimant, chosen: Chosen): Promise<() => number> {
  const { definition } = live.target;
  live.claimant = claimant;
  claimant.holding.add(live);
  const { warden, exporter, id: exportId } = chosen;
  if (live.leaseEndsAt === null) startLease(core, live);
  if (core.between.hasHooksBefore(live)) await runHooks(core, live, chosen);
  live.exported = { ...chosen, fd: -1, isLetGo: false, refusals: 0, retry: null };
  core.exports.add(warden, exportId, live);
  let fd: number;
  try {
    const exporting = warden.export(exportId, {
      kind: exporter.exporter,
      region: definition.region,
      ranges: definition.ranges,
      readOnly: live.record.access === "read-only",
    });
    tellDeadline(live);
    fd = await exporting;
  } catch (cause) {
    end(core, [live], "export-failed", "agent");
    throw new AgentError(
      "EXPORT_FAILED",
      `Buffer "${live.target.name}" could not be exported: ${(cause as Error).message}. Nothing was lent.`,
      { cause },
    );
  }
  if (live.exported?.id !== exportId) closeSync(fd);
  else live.exported.fd = fd;
  // It may have been ended while the warden was at work; the warden has that revoke behind the export.
  const fdWhileLent = () => {
    // Closed at the end, its number is the next export's: somebody else's.
    if (live.exported?.fd !== fd || live.exported.id !== exportId || live.record.state !== "active")
      throw alreadyEnded(core, live.record.id);
    return fd;
  };
  fdWhileLent();
  if (live.record.idleMs !== null) watchIdle(core);
  return fdWhileLent;
}

/** @throws AgentError EXPORT_FAILED, ENDED, DEVICE_LOST; then the delegation has ended */
async function runHooks(core: Core, live: Live, { warden }: Chosen): Promise<void> {
  const refusal = await core.between.beforeLend(live);
  if (live.record.state !== "active") throw alreadyEnded(core, live.record.id);
  if (refusal !== null) {
    end(core, [live], "export-failed", "agent");
    throw new AgentError("EXPORT_FAILED", `Buffer "${live.target.name}" is held: ${refusal}. Nothing was lent.`);
  }
  if (!warden.isGone) return;
  end(core, [live], "device-lost", "agent");
  throw new AgentError("DEVICE_LOST", `The warden of ${live.target.device.name} has gone meanwhile. Nothing was lent.`);
}

function startLease(core: Core, live: Live): void {
  const { leaseMs } = live.record;
  live.lapsesAt = null;
  runOut(core, live, core.clock.now() + leaseMs);
}

/** A kept delegation that nobody holds is claimed anew, once the export that its last client had is proven gone. */
async function replaceOldExport(core: Core, live: Live): Promise<void> {
  const { id, keep } = live.record;
  if (!keep || live.claimant || live.isAwaited) {
    const holder = live.claimant ?? (live.isAwaited ? live.record.client : null);
    throw new AgentError(
      "ALREADY_CLAIMED",
      `Delegation ${id} is claimed already${holder ? ` by pid ${holder.pid}` : ""}. Only one that was asked for with keep can be claimed again, once its client has gone.`,
    );
  }
  if (!live.exported) return;
  const changed = (live.changed ??= new Signal());
  const until = core.clock.now() + core.config.confirmMs;
  revokeOldExport(core, live);
  while (live.exported && live.record.state === "active" && core.clock.now() < until) {
    const alarm = core.clock.at(until, () => changed.notify());
    await changed.next();
    alarm.cancel();
  }
  if (live.record.state !== "active") throw alreadyEnded(core, id);
  if (live.exported)
    throw new AgentError("NOT_READY", `The export that delegation ${id} had before is not proven gone yet. Try again.`);
  if (live.claimant)
    throw new AgentError(
      "ALREADY_CLAIMED",
      `Delegation ${id} was claimed by pid ${(live.claimant as Claimant).pid} meanwhile.`,
    );
}

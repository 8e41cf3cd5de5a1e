import { closeSync } from "node:fs";
import { type EndReason, isFinal, type Method, type Proof, type Revocation } from "@lendbuf/shared/delegation";
import type { Deadline } from "../clock/deadlines.ts";
import { Signal } from "../clock/signal.ts";
import type { Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { advance } from "../delegations/queue.ts";
import { renew } from "../delegations/renew.ts";
import { spare } from "../delegations/spare.ts";
import { StillHeld } from "../wardens/last-reference.ts";
import { answerOf, obstacleOf, proofOf } from "../wardens/proof.ts";
import type { RevokedEntry, Warden } from "../wardens/warden.ts";
import { idsOf, othersOf } from "./blast-radius.ts";
import { letGo } from "./let-go.ts";

const FIRST_RETRY_MS = 100;
const LAST_RETRY_MS = 5000;
/** Where holders let go by themselves, it is to be seen soon. */
const LAST_LOOK_MS = 1000;
/** An end that is proven within this time is recorded at once; of one that takes longer the decision is recorded first. */
const PROMPT_MS = 20;
/** A revoke that takes longer is shown with what it waits for. */
const SLOW_MS = 1000;
/** Beyond so many at once only the ends are written on each, not the decision, which the audit has once. */
const MANY = 100;

/**
 * Ends delegations, whoever asked and whatever state they are in: the only way by which one ends. The kernel is asked before
 * anything is written or told, and nothing here waits for the store. Returns when the end was decided; `ended` waits for the proof.
 */
export function end(core: Core, lives: readonly Live[], reason: EndReason, actor: string): void {
  const unexported = lives.filter(({ record }) => record.state === "waiting" || record.state === "offered");
  const active = lives.filter(({ record }) => record.state === "active");
  if (active.length > 0) revoke(core, active, reason, actor);
  const patch = {
    state: "cancelled",
    reason,
    endedAt: Date.now(),
    offerEndsAt: null,
    client: null,
    revocation: null,
  } as const;
  core.ledger.settle(unexported, { actor, action: "delegation.cancelled", patch });
  advanceTargets(core, unexported);
}

/** Waits until all have ended, or so long; whoever has not is `revoking` still. What nobody can prove any more, or hasten, is not waited for. */
export async function ended(core: Core, lives: readonly Live[], withinMs: number): Promise<void> {
  const until = core.clock.now() + withinMs;
  for (const live of lives) {
    while (!isFinal(live.record.state) && mayComeSoon(live) && core.clock.now() < until) {
      const changed = (live.changed ??= new Signal());
      const alarm = core.clock.at(until, () => changed.notify());
      await changed.next();
      alarm.cancel();
    }
  }
}

/** A second look at what nothing takes back has still found others: they may have it for hours. */
function mayComeSoon({ record, exported }: Live): boolean {
  const isTheirs = exported?.exporter.scope === "none" && exported.refusals > 1;
  return !record.revocation?.unproven && !isTheirs;
}

function revoke(core: Core, lives: readonly Live[], reason: EndReason, actor: string): void {
  const revocation: Revocation = {
    attempts: 1,
    method: lives[0]!.record.export?.method ?? null,
    lastErrno: null,
    waitingFor: null,
    unproven: false,
    since: Date.now(),
  };
  for (const live of lives) {
    live.deadline?.cancel();
    live.endedBy = actor;
  }
  ask(core, lives);
  core.ledger.show(lives, { state: "revoking", reason, ending: null, revocation });
  explainOthers(core, lives);
  watch(core, lives, actor);
}

/** Until the last of them is over, so that prompt ends leave no timer behind. */
function watch(core: Core, lives: readonly Live[], actor: string): void {
  const alarms = [
    core.clock.after(PROMPT_MS, () => recordDecision(core, lives, actor)),
    core.clock.after(SLOW_MS, () => explainDelay(core, lives)),
  ];
  let open = lives.length;
  const share: Deadline = {
    cancel() {
      open--;
      if (open === 0) for (const alarm of alarms) alarm.cancel();
    },
  };
  for (const live of lives) live.deadline = share;
}

/** Most ends are proven before their decision would be written; then one row tells both. */
function recordDecision(core: Core, lives: readonly Live[], actor: string): void {
  const open = lives.filter(({ record }) => record.state === "revoking" && !record.revocation?.unproven);
  if (open.length === 0) return;
  const { reason, revocation } = open[0]!.record;
  const patch = { state: "revoking", reason, ending: null, revocation } as const;
  core.ledger.settle(open, { actor, action: "delegation.ending", patch }, open.length <= MANY);
}

function explainDelay(core: Core, lives: readonly Live[]): void {
  for (const live of lives) {
    const { state, revocation } = live.record;
    if (state !== "revoking" || !revocation || revocation.waitingFor) continue;
    const waitingFor = `the kernel has not answered yet (${revocation.method ?? "no method"})${HOLD_UPS[revocation.method ?? "reboot"] ?? ""}`;
    core.ledger.show([live], { revocation: { ...revocation, waitingFor } });
  }
}

/** What can keep the kernel from answering. */
const HOLD_UPS: Partial<Record<Method, string>> = {
  "dma-buf-revoke": ": it waits for an importer, or for a fence that a client attached",
  "vfio-feature-revoke": ": it waits for an importer, or for a fence that a client attached",
  "device-close": ": it waits for an importer, or for a fence that a client attached",
  ftruncate: ": it waits for a holder's write whose own memory does not come",
};

/** Where only the whole device can be taken back, an end waits for those that nobody has decided to end. */
function explainOthers(core: Core, lives: readonly Live[]): void {
  const ending = new Set(lives);
  const wholeDevice = lives.filter(({ exported }) => exported?.exporter.scope === "device");
  for (const warden of new Set(wholeDevice.map(({ exported }) => exported!.warden))) {
    const others = othersOf(core, warden, ending);
    if (others.length === 0) continue;
    const its = wholeDevice.filter(({ exported }) => exported?.warden === warden);
    const { device, revocation } = its[0]!.record;
    const waitingFor = `only the whole of ${device} can be taken back here, and others have it: ${idsOf(others)}. It is closed when they have ended too, or at once by a device-wide revoke`;
    core.ledger.show(its, { revocation: { ...revocation!, waitingFor } });
  }
}

/** Has the exports cut: by their warden, or where that has died by the agent's own copy of the fd. */
function ask(core: Core, lives: readonly Live[]): void {
  const byWarden = new Map<Warden, Live[]>();
  const orphans: Live[] = [];
  for (const live of lives) {
    const warden = live.exported?.warden;
    if (!warden || warden.isGone) orphans.push(live);
    else if (byWarden.has(warden)) byWarden.get(warden)!.push(live);
    else byWarden.set(warden, [live]);
  }
  for (const [warden, its] of byWarden) {
    const single = its.filter(({ exported }) => exported!.exporter.scope !== "device");
    for (const live of single) letGo(core, live);
    if (single.length > 0) warden.revoke(single.map((live) => live.exported!.id));
    if (its[0]!.target.device.takesWhole) askDevice(core, warden, its);
  }
  if (orphans.length > 0) void cutOrphans(core, orphans);
}

/** Gives the device up once everything that was exported of it is to end, if that is the way in which one of them ends. */
function askDevice(core: Core, warden: Warden, its: readonly Live[]): void {
  if (othersOf(core, warden, new Set(its)).length > 0) return;
  const all = core.exports.of(warden).map((live) => live.exported!);
  if (all.some(({ exporter }) => exporter.scope === "device"))
    warden.revoke(
      all.map(({ id }) => id),
      true,
    );
}

async function cutOrphans(core: Core, lives: readonly Live[]): Promise<void> {
  const findings = await Promise.all(
    lives.map(async (live): Promise<Finding> => {
      const { exported } = live;
      if (exported?.isLetGo) return { live, proof: null, errno: null };
      // An fd that never reached us was never handed on, and went with its warden.
      if (!exported || exported.fd < 0) return { live, proof: NEVER_EXPORTED, errno: null };
      try {
        return { live, proof: await live.target.device.cut(exported.fd, exported.exporter), errno: null };
      } catch (cause) {
        if (cause instanceof StillHeld) return { live, proof: null, errno: cause.code, obstacle: cause.message };
        core.log.error(
          { delegation: live.record.id, cause },
          "the agent could not cut an export whose warden has died",
        );
        return { live, proof: null, errno: (cause as NodeJS.ErrnoException).code ?? "unknown" };
      }
    }),
  );
  conclude(core, findings);
}

const NEVER_EXPORTED: Proof = {
  method: "never-exported",
  scope: "buffer",
  by: "agent",
  answer: "0",
  probe: "the fd was never handed over",
  durationUs: null,
};

/** What a warden answered. */
export function takeResults(core: Core, warden: Warden, entries: readonly RevokedEntry[]): void {
  const findings: Finding[] = [];
  for (const entry of entries) {
    const live = core.exports.find(warden, entry.id);
    if (!live) continue;
    const proof = proofOf(entry, live.exported!.exporter);
    findings.push({ live, proof, errno: answerOf(entry), obstacle: obstacleOf(entry) });
  }
  conclude(core, findings);
}

/** The warden died: everything that it exported is cut here and ends. */
export function takeLoss(core: Core, warden: Warden): void {
  const lives = core.exports.of(warden);
  end(core, lives, "device-lost", "agent");
  ask(
    core,
    lives.filter((live) => live.record.state === "revoking" && live.record.reason !== "device-lost"),
  );
}

interface Finding {
  live: Live;
  proof: Proof | null;
  errno: string | null;
  /** On what it waits, where that is known better than by the errno. */
  obstacle?: string | null;
}

function conclude(core: Core, findings: readonly Finding[]): void {
  const groups = new Map<string, { lives: Live[]; proof: Proof }>();
  const closing: number[] = [];
  for (const { live, proof, errno, obstacle } of findings) {
    if (!proof) {
      if (live.exported?.isLetGo && live.exported.warden.isGone) giveUp(core, live);
      else tryAgain(core, live, errno, obstacle ?? null);
      continue;
    }
    forgetExport(core, live, closing);
    if (live.record.state !== "revoking") {
      live.changed?.notify(); // a kept delegation's old export: its claim goes on
      continue;
    }
    const { method, scope, by, answer, probe } = proof;
    const key =
      findings.length === 1 ? "" : [method, scope, by, answer, probe, live.record.reason, live.endedBy].join("|");
    const group = groups.get(key);
    if (!group) groups.set(key, { lives: [live], proof });
    else {
      group.lives.push(live);
      // One row for all of them: the longest speaks for each.
      group.proof = { ...proof, durationUs: Math.max(proof.durationUs ?? 0, group.proof.durationUs ?? 0) };
    }
  }
  for (const { lives, proof } of groups.values()) confirm(core, lives, proof);
  if (closing.length > 0) setImmediate(closeAll, closing); // whoever waits for the end hears of it first
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

/** The kernel has confirmed: the delegations are over. */
export function confirm(core: Core, lives: readonly Live[], proof: Proof): void {
  const { endedBy: actor, record } = lives[0]!;
  const patch = {
    state: "revoked",
    reason: record.reason,
    endedAt: Date.now(),
    client: null,
    ending: null,
    revocation: null,
    proof,
  } as const;
  const renewed = record.reason === "collateral" ? lives.filter(({ claimant }) => claimant && !claimant.isClosed) : [];
  for (const live of lives) live.claimant?.holding.delete(live);
  core.between.expect(lives);
  core.ledger.settle(lives, { actor, action: "delegation.revoked", patch });
  for (const live of renewed) renew(core, live, Math.floor((live.leaseEndsAt ?? 0) - core.clock.now()));
  core.between.follow(lives);
  advanceTargets(core, lives);
}

/** Its end is proven: our copy of its fd is to be closed. */
function forgetExport(core: Core, live: Live, closing: number[]): void {
  if (!live.exported) return;
  const { warden, id, fd, retry } = live.exported;
  retry?.cancel();
  core.exports.delete(warden, id);
  live.exported = null;
  if (fd >= 0) closing.push(fd);
}

function tryAgain(core: Core, live: Live, errno: string | null, obstacle: string | null): void {
  const { exported } = live;
  if (!exported) return;
  const before = live.record.revocation;
  if (before) {
    const attempts = before.attempts + 1;
    const waitingFor = obstacle ?? `the kernel answered ${errno}; attempt ${attempts} follows`;
    core.ledger.show([live], { revocation: { ...before, attempts, lastErrno: errno, waitingFor } });
  }
  const { warden, exporter } = exported;
  const last = exporter.scope === "none" ? LAST_LOOK_MS : LAST_RETRY_MS;
  const delay = Math.min(last, FIRST_RETRY_MS * 2 ** Math.min(exported.refusals, 10));
  exported.refusals++;
  if (exporter.scope === "device") return lookAgain(core, warden, delay);
  exported.retry?.cancel();
  exported.retry = core.clock.after(delay, () => {
    if (live.exported === exported) ask(core, [live]);
  });
}

/** Whoever could have told has gone: its warden has died, and our copy was let go before. */
function giveUp(core: Core, live: Live): void {
  const { revocation } = live.record;
  if (!revocation || revocation.unproven) return;
  const waitingFor =
    "its warden has died, and nobody else can tell who has it: only a restart of the machine proves the end";
  core.ledger.settle([live], {
    actor: "agent",
    action: "delegation.unproven",
    patch: { state: "revoking", revocation: { ...revocation, unproven: true, waitingFor } },
  });
}

const lookedAtAgain = new WeakSet<Warden>();

/** One look at a device is one for all that was exported of it. */
function lookAgain(core: Core, warden: Warden, delayMs: number): void {
  if (lookedAtAgain.has(warden)) return;
  lookedAtAgain.add(warden);
  core.clock.after(delayMs, () => {
    lookedAtAgain.delete(warden);
    const open = core.exports.of(warden).filter(({ record }) => record.state === "revoking");
    if (open.length > 0) ask(core, open);
  });
}

function advanceTargets(core: Core, lives: readonly Live[]): void {
  if (lives.length === 1) return advanceOne(core, lives[0]!.target);
  for (const target of new Set(lives.map((live) => live.target))) advanceOne(core, target);
}

function advanceOne(core: Core, target: Live["target"]): void {
  advance(core, target);
  spare(core, target);
}

/** Asks once more for ends that were decided before this agent. */
export function askAgain(core: Core, lives: readonly Live[]): void {
  ask(core, lives);
}

/** Asks once more for the end of a kept delegation's old export, so that it can be claimed anew. */
export function revokeOldExport(core: Core, live: Live): void {
  ask(core, [live]);
}

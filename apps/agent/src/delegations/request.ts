import type { Hold } from "@lendbuf/shared/buffer";
import type { Access, Share } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import { accountFor } from "../accounts/permission.ts";
import { firstInTheWay, leaseThatFits } from "../buffers/ahead.ts";
import type { Buffer } from "../buffers/buffer.ts";
import type { Caller, Core } from "../core.ts";
import { checkPolicy } from "../policy/decide.ts";
import { checkRevocable } from "./irrevocable.ts";
import { BLANK, type Live, type Record } from "./live.ts";
import { preempt } from "./preempt.ts";
import { offerFields, startOffer } from "./queue.ts";

export interface Wish {
  buffer: string;
  access: Access;
  share?: Share | undefined;
  leaseMs: number;
  keep: boolean;
  wait: boolean;
  purpose: string | null;
  exporter: Exporter | null;
  shorten?: boolean | undefined;
  priority?: number | undefined;
  idleMs?: number | null | undefined;
  /** For whom, where an operator asks; else the caller. */
  account?: string | undefined;
  offerMs?: number | undefined;
}

/** Reserves a buffer, or takes a place in its queue; `client` is who stands in line for it. @throws AgentError: see the checks */
export function request(core: Core, caller: Caller, wish: Wish, client: Record["client"] = null): Live {
  const { target, fields, free } = consider(core, caller, wish, wish.offerMs ?? core.config.offerMs);
  const state = free ? offerFields(fields) : ({ state: "waiting" } as const);
  const live = core.ledger.create({ ...fields, ...state, client }, target, {
    actor: caller.actor,
    action: "delegation.requested",
  });
  if (free) startOffer(core, live);
  else preempt(core, live, caller.actor);
  return live;
}

/** Everything that a wish must meet before anything is written; the record that it would make, and whether that need not wait. */
export function consider(
  core: Core,
  caller: Caller,
  wish: Wish,
  beginsWithinMs: number,
): { target: Buffer<Live>; fields: Omit<Record, "id">; free: boolean } {
  const target = core.buffers.get(wish.buffer);
  const account = accountFor(core, caller, "delegations.request", wish.account);
  const share = checkAccess(target, wish);
  const priority = priorityOf(core, caller, wish);
  checkLease(core, wish.leaseMs);
  checkExporter(core, account, target, wish.exporter);
  const now = Date.now();
  const wanted = { account, share, leaseMs: wish.leaseMs, shorten: wish.shorten ?? false };
  const fits = leaseThatFits(target.reservations, wanted, now, now + beginsWithinMs);
  const isNext = isFree(target, share, now);
  const free = isNext && fits !== null;
  checkPolicy(core, account, target, { use: free || !wish.wait ? "borrow" : "queue", leaseMs: wish.leaseMs });
  checkLimits(core, account, !free);
  if (!free && !wish.wait) {
    target.device.readyWarden();
    checkDrained(target.device);
    throw isNext ? reserved(target, wanted, now, beginsWithinMs) : busy(target);
  }
  return {
    target,
    free,
    fields: {
      ...BLANK,
      buffer: target.name,
      device: target.device.name,
      account,
      requestedBy: caller.account,
      access: wish.access,
      share,
      keep: wish.keep,
      purpose: wish.purpose,
      priority,
      idleMs: wish.idleMs ?? null,
      exporter: wish.exporter,
      size: target.size,
      leaseMs: free ? fits : wish.leaseMs,
      shorten: wanted.shorten,
      offerMs: wish.offerMs ?? core.config.offerMs,
      requestedAt: Date.now(),
      state: "waiting",
    },
  };
}

/** Those who have it leave room for you, and whoever is before you waits for a reservation to be over. */
function isFree(target: Buffer<Live>, share: Share, now: number): boolean {
  const { queue, reservations, device } = target;
  const waitsLonger = ({ record }: Live) => leaseThatFits(reservations, record, now, now + record.offerMs) === null;
  return device.lends && target.admits(share) && queue.every(waitsLonger);
}

/** @throws AgentError LIMIT */
export function checkLease(core: Core, leaseMs: number): void {
  const { maxLeaseMs } = core.config;
  if (leaseMs <= maxLeaseMs) return;
  throw new AgentError(
    "LIMIT",
    `A lease of ${formatDuration(leaseMs)} is longer than ${formatDuration(maxLeaseMs)}, the longest here. Ask for less and extend it later, or have the agent started with a greater --max-lease.`,
  );
}

/** @throws AgentError NOT_ALLOWED */
function priorityOf({ config }: Core, caller: Caller, { priority = 0 }: Pick<Wish, "priority">): number {
  const most = config.priorities.get(caller.account) ?? 0;
  if (caller.isOperator || priority <= most) return priority;
  throw new AgentError(
    "NOT_ALLOWED",
    `${caller.account} may ask with a priority of ${most} at most, not ${priority}. An operator asks with any, and the agent is told what an account may by --priority ${caller.account}=${priority}.`,
  );
}

export function checkAccess(target: Buffer<Live>, { access, share }: Pick<Wish, "access" | "share">): Share {
  const { name, definition, device } = target;
  if (access === "read-only") return share ?? "shared";
  if (definition.share === "shared") {
    throw new AgentError("UNSUPPORTED", `Buffer "${name}" is only ever read. Ask for read-only access.`);
  }
  // Each delegation of the memfd exporter has memory of its own, so two writers would not see each other.
  if (share === "shared") {
    throw new AgentError(
      "UNSUPPORTED",
      `The exporter of ${device.name} allows one writer at a time. Ask for exclusive access, or share read-only.`,
    );
  }
  return "exclusive";
}

/** Whoever waits in line for a device that is not there yet hears of it at the claim. */
function checkExporter(core: Core, account: string, target: Buffer<Live>, wanted: Exporter | null): void {
  if (target.device.isReady) checkRevocable(core, account, target, target.device.exporter(wanted));
}

export function checkLimits(core: Core, account: string, waits: boolean): void {
  const { delegationsPerUid, waitingPerUid } = core.config;
  const { total, waiting } = core.ledger.countOf(account);
  if (total >= delegationsPerUid)
    throw new AgentError(
      "LIMIT",
      `${account} has ${total} live delegations, the most that one account may have. Release some.`,
    );
  if (waits && waiting >= waitingPerUid)
    throw new AgentError(
      "LIMIT",
      `${account} waits in ${waiting} places already, the most that one account may. Withdraw some.`,
    );
}

function reserved(
  target: Buffer<Live>,
  wanted: { account: string; share: Share; leaseMs: number },
  now: number,
  beginsWithinMs: number,
): AgentError {
  const { from, to } = firstInTheWay(target.reservations, wanted, now, now + beginsWithinMs + wanted.leaseMs)!;
  const left = from - now - beginsWithinMs;
  const most =
    left > 0 ? `A lease of ${formatDuration(left)} fits before (shorten: true takes what fits); or wait` : "Wait";
  return new AgentError(
    "RESERVED",
    `Buffer "${target.name}" is reserved from ${iso(from)} to ${iso(to)}, and a lease of ${formatDuration(wanted.leaseMs)} would run into that. ${most} in line (wait: true).`,
  );
}

/** @throws AgentError DRAINED */
export function checkDrained({ name, drain }: Buffer<Live>["device"]): void {
  if (!drain) return;
  const until = drain.until === null ? "until somebody lifts that" : `until ${iso(drain.until)}`;
  throw new AgentError(
    "DRAINED",
    `Nothing new of ${name} is lent ${until}: ${drain.reason} (${drain.by}). Ask again then, or stand in line (wait: true).`,
  );
}

export function iso(at: number): string {
  return new Date(at).toISOString();
}

/** Why nobody gets it, and what to do. */
export function heldWords(name: string, { reason }: Hold): string {
  return `Buffer "${name}" is held: ${reason}. An operator lifts that (lendbuf lift ${name}).`;
}

function busy(target: Buffer<Live>): AgentError {
  const { doing, hold } = target.between;
  if (hold) return new AgentError("BUSY", heldWords(target.name, hold));
  const [first] = target.occupants;
  if (!first && doing)
    return new AgentError(
      "BUSY",
      `Buffer "${target.name}" is not ready for the next borrower yet: ${doing}. Wait in line (wait: true), or ask in a moment.`,
    );
  const until = first?.record.expiresAt ? ` until ${new Date(first.record.expiresAt).toISOString()} at the latest` : "";
  const line = target.queue.length > 0 ? `, and ${target.queue.length} wait in line` : "";
  return new AgentError(
    "BUSY",
    `Buffer "${target.name}" is ${first?.record.state === "offered" ? "offered to somebody" : "lent"}${until}${line}. Wait in line (wait: true), or ask later.`,
  );
}

import type { Hold } from "@lendbuf/shared/buffer";
import type { Access, Share } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import { accountFor } from "../accounts/permission.ts";
import type { Buffer } from "../buffers/buffer.ts";
import type { Caller, Core } from "../core.ts";
import { checkRevocable } from "./irrevocable.ts";
import { BLANK, type Live, type Record } from "./live.ts";
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
  /** For whom, where an operator asks; else the caller. */
  account?: string | undefined;
  offerMs?: number | undefined;
}

/** Reserves a buffer, or takes a place in its queue; `client` is who stands in line for it. @throws AgentError: see the checks */
export function request(core: Core, caller: Caller, wish: Wish, client: Record["client"] = null): Live {
  const { target, fields } = consider(core, caller, wish);
  const free = isFree(target, fields.share);
  const state = free ? offerFields(fields.offerMs) : ({ state: "waiting" } as const);
  const live = core.ledger.create({ ...fields, ...state, client }, target, {
    actor: caller.actor,
    action: "delegation.requested",
  });
  if (free) startOffer(core, live);
  return live;
}

/** Everything that a wish must meet before anything is written; the record that it would make. */
export function consider(core: Core, caller: Caller, wish: Wish): { target: Buffer<Live>; fields: Omit<Record, "id"> } {
  const target = core.buffers.get(wish.buffer);
  const account = accountFor(core, caller, "delegations.request", wish.account);
  const share = checkAccess(target, wish);
  checkLease(core, wish.leaseMs);
  checkExporter(core, target, wish.exporter);
  const free = isFree(target, share);
  checkLimits(core, account, !free);
  if (!free && !wish.wait) {
    target.device.readyWarden();
    throw busy(target);
  }
  return {
    target,
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
      exporter: wish.exporter,
      size: target.size,
      leaseMs: wish.leaseMs,
      offerMs: wish.offerMs ?? core.config.offerMs,
      requestedAt: Date.now(),
      state: "waiting",
    },
  };
}

/** Nobody is before you, and those who have it leave room for you. */
export function isFree(target: Buffer<Live>, share: Share): boolean {
  return target.queue.length === 0 && target.device.isReady && target.admits(share);
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

function checkAccess(target: Buffer<Live>, { access, share }: Wish): Share {
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
function checkExporter(core: Core, target: Buffer<Live>, wanted: Exporter | null): void {
  if (target.device.isReady) checkRevocable(core, target, target.device.exporter(wanted));
}

function checkLimits(core: Core, account: string, waits: boolean): void {
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

import type { Input } from "@lendbuf/shared/api";
import { formatDuration } from "@lendbuf/shared/duration";
import { AgentError } from "@lendbuf/shared/errors";
import { accountFor } from "../accounts/permission.ts";
import { canShare } from "../buffers/ahead.ts";
import type { Buffer } from "../buffers/buffer.ts";
import { latestEnd } from "../buffers/turns.ts";
import type { Caller, Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { checkAccess, checkDrained, checkLease, iso } from "../delegations/request.ts";
import { checkPolicy } from "../policy/decide.ts";
import { expect } from "./begin.ts";
import type { Booking } from "./record.ts";

type Wish = Required<Pick<Booking, "access" | "keep" | "purpose" | "exporter">> & Input<"reservations.create">;

/** A clock that is a little behind asks for "now" in the past. */
const LATE_MS = 5000;

/** @throws AgentError NOT_FOUND, NOT_ALLOWED, UNSUPPORTED, BAD_INPUT, LIMIT, RESERVED, BUSY, STORE_READ_ONLY */
export function reserve(core: Core, caller: Caller, wish: Wish): Booking {
  const { from, to, access, keep, purpose, exporter } = wish;
  const target = core.buffers.get(wish.buffer);
  const account = accountFor(core, caller, "reservations.create", wish.account);
  const share = checkAccess(target, wish);
  checkTimes(core, wish);
  checkCount(core, account);
  checkPolicy(core, account, target, { use: "borrow", leaseMs: to - from });
  const fields = { buffer: target.name, account, requestedBy: caller.account, state: "booked" } as const;
  checkNotDrainedThen(target, from);
  const asked = { from, to, access, share, keep, purpose, exporter };
  checkFree(target, { ...asked, account });
  const booking = core.reservations.create(
    { ...fields, ...asked, createdAt: Date.now(), delegation: null },
    caller.actor,
  );
  target.changes++;
  core.reserved.notify();
  expect(core);
  return booking;
}

function checkTimes(core: Core, { from, to }: Wish): void {
  const now = Date.now();
  if (to <= from)
    throw new AgentError("BAD_INPUT", `A reservation ends after it begins; ${iso(to)} is not after ${iso(from)}.`);
  if (from < now - LATE_MS || to <= now)
    throw new AgentError("BAD_INPUT", `${iso(from)} is past. Reserve what is to come; borrow what is to begin now.`);
  checkLease(core, to - from);
  const { maxAheadMs } = core.config;
  if (from - now > maxAheadMs)
    throw new AgentError(
      "LIMIT",
      `${iso(from)} is more than ${formatDuration(maxAheadMs)} ahead, the most that may be reserved here. Come back later, or have the agent started with a greater --max-ahead.`,
    );
}

function checkCount(core: Core, account: string): void {
  const { reservationsPerUid } = core.config;
  if (core.reservations.countOf(account) >= reservationsPerUid)
    throw new AgentError(
      "LIMIT",
      `${account} has ${reservationsPerUid} reservations, the most that one uid may have. Cancel some.`,
    );
}

/** @throws AgentError DRAINED */
function checkNotDrainedThen({ device }: Buffer<Live>, from: number): void {
  if (device.drain?.until != null && from < device.drain.until) checkDrained(device);
}

type Asked = Pick<Booking, "account" | "share" | "from" | "to">;

/** Nobody else has reserved it for any of this time, or has it for longer than until then. @throws AgentError RESERVED, BUSY */
function checkFree(target: Buffer<Live>, { account, share, from, to }: Asked): void {
  const other = target.reservations.find((one) => !canShare(one.share, share) && one.from < to && from < one.to);
  if (other)
    throw new AgentError(
      "RESERVED",
      `Buffer "${target.name}" is reserved from ${iso(other.from)} to ${iso(other.to)} (${other.id}). Choose another time: \`lendbuf reservations --buffer ${target.name}\` shows what is taken.`,
    );
  for (const { record } of [...target.occupants, ...target.queue.filter((live) => live.record.until !== null)]) {
    const end = record.state === "waiting" ? record.until : latestEnd(record);
    if (record.account === account || canShare(record.share, share) || end === null || end <= from) continue;
    throw new AgentError(
      "BUSY",
      `Buffer "${target.name}" is taken until ${iso(end)} at the latest, which is after ${iso(from)}. Reserve it from then on.`,
    );
  }
}

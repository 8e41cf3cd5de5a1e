import { AgentError } from "@lendbuf/shared/errors";
import type { Caller, Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { advanceAll } from "../delegations/queue.ts";
import type { Device } from "../devices/device.ts";
import { end } from "./end.ts";
import { announce } from "./triggers.ts";

/** It ends at a time of the wall clock, which people may set: that is looked at so often. */
const LOOK_MS = 5000;

interface Order {
  reason: string;
  until?: number | undefined;
  /** Do not wait for the leases to run out. */
  now: boolean;
  /** So long after their clients were told. */
  noticeMs?: number | undefined;
}

/**
 * Nothing new of the device is lent from now on. Offers end; what is lent ends with its lease, or with `now` after notice; who waits goes on waiting.
 * Never waits for the store. @throws AgentError BAD_INPUT
 */
export function drain(core: Core, device: Device, order: Order, caller: Caller): void {
  const { reason, until = null, now, noticeMs = core.config.noticeMs } = order;
  const since = Date.now();
  if (until !== null && until <= since)
    throw new AgentError(
      "BAD_INPUT",
      `${new Date(until).toISOString()} is past. Say until when it is to last, or leave it out.`,
    );
  core.drains.begin(device.name, { reason, until, since, by: caller.account }, caller.actor);
  endOffers(core, caller.actor);
  if (now) endLeases(core, device, noticeMs, caller.actor);
  tell(core);
  watchDrains(core);
}

/** Lends it again. One that is not drained is no error. @throws AgentError STORE_READ_ONLY */
export function undrain(core: Core, device: string, actor: string): void {
  core.drains.lift(device, actor);
  tell(core);
  advanceAll(core);
}

/** Those whose time is over are lifted, and none that a drain forbids is offered. Again and again while there is any. */
export function watchDrains(core: Core): void {
  core.alarms.drains?.cancel();
  core.alarms.drains = null;
  endOffers(core, "agent");
  for (const [device, { until }] of core.drains.all()) if (until !== null && until <= Date.now()) liftDue(core, device);
  const times = core.drains.all().flatMap(([, { until }]) => until ?? []);
  if (times.length === 0) return;
  const inMs = Math.min(LOOK_MS, Math.max(1, Math.min(...times) - Date.now()));
  core.alarms.drains = core.clock.after(inMs, () => watchDrains(core));
}

function liftDue(core: Core, device: string): void {
  try {
    undrain(core, device, "agent");
  } catch (cause) {
    core.log.error({ device, cause }, "a drain whose time is over cannot be lifted yet");
  }
}

function endOffers(core: Core, actor: string): void {
  const offered = livesOf(core, ({ record, target }) => record.state === "offered" && target.device.drain !== null);
  end(core, offered, "drained", actor);
}

function endLeases(core: Core, device: Device, noticeMs: number, actor: string): void {
  const active = livesOf(core, ({ record, target }) => record.state === "active" && target.device === device);
  if (noticeMs === 0) end(core, active, "drained", actor);
  else for (const live of active) announce(core, live, noticeMs, "drained", actor);
}

function livesOf(core: Core, isMeant: (live: Live) => boolean): Live[] {
  return [...core.ledger.live.values()].filter(isMeant);
}

function tell(core: Core): void {
  core.ledger.changed.notify(); // turns in line move
}

import { closeSync } from "node:fs";
import type { EndReason } from "@lendbuf/shared/delegation";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Device } from "../devices/device.ts";
import { watchIdle } from "../holders/idle.ts";
import { askAgain, end, takeLoss } from "../revocation/end.ts";
import { revokeStrays } from "../revocation/strays.ts";
import type { Held, Inheritance, Warden } from "../wardens/warden.ts";
import { awaitClients } from "./absence.ts";
import { runOut } from "./lease.ts";
import { type Live, newLive, type Record } from "./live.ts";

/** An end whose time is nearer than this has come: its record and the boot clock are not the same clock. */
const SLACK_MS = 1000;

interface Heir {
  device: Device;
  inheritance: Inheritance;
  records: Record[];
}

/** Of a buffer that is there no more. */
type FormerBuffer = (record: Record) => Buffer<Live>;

/**
 * Takes over what the wardens hold that an earlier agent has left to us: its delegations live on, what ended meanwhile is confirmed by
 * the warden, and what nobody has in the books is revoked at once. Gives the records with which this has nothing to do.
 */
export function adopt(core: Core, records: readonly Record[], formerBuffer: FormerBuffer): Record[] {
  const heirs = new Map<string, Heir>();
  for (const device of core.devices.values()) {
    const { inheritance } = device;
    if (inheritance) heirs.set(inheritance.warden.instance, { device, inheritance, records: [] });
  }
  const others = records.filter((record) => {
    const heir = record.export?.bootId === core.bootId ? heirs.get(record.export.warden) : undefined;
    heir?.records.push(record);
    return !heir;
  });
  for (const heir of heirs.values()) adoptFrom(core, heir, formerBuffer);
  return others;
}

/** What becomes of the delegations whose exports a warden made. */
interface Sorted {
  kept: Live[];
  revoking: Live[];
  ending: Map<EndReason, Live[]>;
}

function adoptFrom(core: Core, { device, inheritance, records }: Heir, formerBuffer: FormerBuffer): void {
  const { warden, held } = inheritance;
  for (const record of records) warden.skipExportIds(record.export!.id);
  const sorted: Sorted = { kept: [], revoking: [], ending: new Map() };
  for (const record of records) {
    const mine = held.get(record.export!.id);
    held.delete(record.export!.id);
    sort(core, sorted, takeUp(core, device, warden, record, mine, formerBuffer), mine);
  }
  inheritance.isInBooks = true;
  core.between.takeUp(device);
  const strays = takeStrays(held);
  tell(core, device, warden, sorted, strays.length);
  for (const [reason, lives] of sorted.ending) end(core, lives, reason, "agent");
  askAgain(core, sorted.revoking);
  revokeStrays(core, warden, strays);
  if (warden.isGone) takeLoss(core, warden);
  else awaitClients(core, sorted.kept);
}

function takeUp(
  core: Core,
  device: Device,
  warden: Warden,
  record: Record,
  mine: Held | undefined,
  formerBuffer: FormerBuffer,
): Live {
  const live = newLive(record, core.buffers.find(record.buffer) ?? formerBuffer(record));
  const { id } = record.export!;
  const fd = mine?.fd ?? -1;
  const exporter = device.capabilityOf(record.exporter);
  // Where we have no copy of it, only its warden can tell of its end.
  live.exported = { warden, exporter, id, fd, isLetGo: fd < 0, refusals: 0, retry: null };
  core.exports.add(warden, id, live);
  core.ledger.add(live);
  return live;
}

function sort(core: Core, { kept, revoking, ending }: Sorted, live: Live, mine: Held | undefined): void {
  const { record, target } = live;
  if (record.state === "revoking") return void revoking.push(live);
  const reason = core.buffers.find(record.buffer) === target ? endOf(core, record, mine) : "device-lost";
  if (reason === null) {
    schedule(core, live, mine!);
    if (record.idleMs !== null) watchIdle(core);
    kept.push(live);
    return;
  }
  const others = ending.get(reason);
  if (others) others.push(live);
  else ending.set(reason, [live]);
}

/** Exports that nobody in the books has; our copies of them are closed. */
function takeStrays(held: Map<number, Held>): number[] {
  const strays = [...held.keys()];
  for (const { fd } of held.values()) if (fd >= 0) closeSync(fd);
  held.clear();
  return strays;
}

/** Nothing where there was nothing to take over. */
function tell(core: Core, device: Device, warden: Warden, { kept, revoking, ending }: Sorted, strays: number): void {
  if (kept.length + revoking.length + ending.size + strays === 0) return;
  const ended = [...ending.values()].flat().map(({ record }) => record.id);
  core.store.recordLater({
    at: Date.now(),
    actor: "agent",
    action: "agent.adopted",
    delegations: kept.map(({ record }) => record.id),
    detail: { device: device.name, warden: warden.instance, pid: warden.pid, ended, strays },
  });
}

/** Why it has to end, or has ended already; null: it lives on. */
function endOf(core: Core, { ending, expiresAt }: Record, mine: Held | undefined): EndReason | null {
  const lives = mine !== undefined && mine.fd >= 0 && !mine.isRevoking;
  const isDue = mine?.deadlineMs != null && mine.deadlineMs <= core.clock.now();
  if (lives && !isDue) return null;
  const now = Date.now() + SLACK_MS;
  if (ending && ending.at <= now) return ending.reason;
  const hasExpired = mine?.isRevoking || isDue || (expiresAt !== null && expiresAt <= now);
  return hasExpired ? "expired" : "agent-restart";
}

/** Its times, on the boot clock as its warden knows them. */
function schedule(core: Core, live: Live, { deadlineMs }: Held): void {
  const { record } = live;
  const now = core.clock.now();
  const byRecord = now + (record.expiresAt ?? 0) - Date.now();
  const isAnnounced = record.ending !== null && record.ending.reason !== "expired";
  if (isAnnounced) {
    const { reason, at } = record.ending!;
    live.announced = { at: deadlineMs ?? now + at - Date.now(), reason, actor: announcerOf(core, record) };
  }
  // An announced end is never later than the lease's; the wall clock, by which the record goes, may have been set meanwhile.
  runOut(core, live, isAnnounced ? Math.max(byRecord, deadlineMs ?? byRecord) : (deadlineMs ?? byRecord));
}

function announcerOf(core: Core, { id }: Record): string {
  const [row] = core.store.all<{ actor: string }>(
    "SELECT actor FROM audit WHERE delegation = ? AND action = 'delegation.announced' ORDER BY seq DESC LIMIT 1",
    id,
  );
  return row?.actor ?? "agent";
}

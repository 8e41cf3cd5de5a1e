import { closeSync } from "node:fs";
import type { EndReason } from "@lendbuf/shared/delegation";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Device } from "../devices/device.ts";
import { askAgain, end, takeLoss } from "../revocation/end.ts";
import { revokeStrays } from "../revocation/strays.ts";
import type { Held, Inheritance } from "../wardens/warden.ts";
import { awaitClients } from "./absence.ts";
import { type Live, newLive, type Record } from "./live.ts";

/** An end whose time is nearer than this has come: its record and the boot clock are not the same clock. */
const SLACK_MS = 1000;

/**
 * Takes over what the wardens hold that an earlier agent has left to us: its delegations live on, what ended meanwhile is confirmed by
 * the warden, and what nobody has in the books is revoked at once. Gives the records with which this has nothing to do.
 */
export function adopt(
  core: Core,
  records: readonly Record[],
  formerBuffer: (record: Record) => Buffer<Live>,
): Record[] {
  const heirs = new Map<string, { device: Device; inheritance: Inheritance; records: Record[] }>();
  for (const device of core.devices.values()) {
    const { inheritance } = device;
    if (inheritance) heirs.set(inheritance.warden.instance, { device, inheritance, records: [] });
  }
  const others = records.filter((record) => {
    const heir = record.export?.bootId === core.bootId ? heirs.get(record.export.warden) : undefined;
    heir?.records.push(record);
    return !heir;
  });
  for (const heir of heirs.values()) adoptFrom(core, heir.device, heir.inheritance, heir.records, formerBuffer);
  return others;
}

function adoptFrom(
  core: Core,
  device: Device,
  { warden, held }: Inheritance,
  records: readonly Record[],
  formerBuffer: (record: Record) => Buffer<Live>,
): void {
  const kept: Live[] = [];
  const ending = new Map<EndReason, Live[]>();
  const revoking: Live[] = [];
  warden.skipExportIds(Math.max(0, ...records.map((record) => record.export!.id)));
  for (const record of records) {
    const { id } = record.export!;
    const mine = held.get(id);
    held.delete(id);
    const target = core.buffers.find(record.buffer);
    const live = newLive(record, target ?? formerBuffer(record));
    takeExport(core, device, warden, live, mine);
    core.ledger.add(live);
    const reason = target ? endOf(core, record, mine) : "device-lost";
    if (record.state === "revoking") revoking.push(live);
    else if (reason) ending.set(reason, [...(ending.get(reason) ?? []), live]);
    else kept.push(live);
    if (record.state === "active" && !reason) schedule(core, live, mine!);
  }
  const strays = [...held.keys()];
  for (const { fd } of held.values()) if (fd >= 0) closeSync(fd);
  held.clear();
  const isNews = kept.length + strays.length + ending.size + revoking.length > 0;
  if (isNews) {
    const ended = [...ending.values()].flat().map(({ record }) => record.id);
    core.store.recordLater({
      at: Date.now(),
      actor: "agent",
      action: "agent.adopted",
      delegations: kept.map(({ record }) => record.id),
      detail: { device: device.name, warden: warden.instance, pid: warden.pid, ended, strays: strays.length },
    });
  }
  for (const [reason, lives] of ending) end(core, lives, reason, "agent");
  askAgain(core, revoking);
  revokeStrays(core, warden, strays);
  if (warden.isGone) takeLoss(core, warden);
  else awaitClients(core, kept);
}

function takeExport(
  core: Core,
  device: Device,
  warden: Inheritance["warden"],
  live: Live,
  mine: Held | undefined,
): void {
  const { record } = live;
  const fd = mine?.fd ?? -1;
  const exporter = device.exporter(record.exporter);
  // Where we have no copy of it, only its warden can tell of its end.
  live.exported = { warden, exporter, id: record.export!.id, fd, isLetGo: fd < 0, refusals: 0, retry: null };
  core.exports.add(warden, record.export!.id, live);
}

/** Why it has to end, or has ended already; null: it lives on. */
function endOf(core: Core, { ending, expiresAt, leaseMs }: Record, mine: Held | undefined): EndReason | null {
  const lives = mine !== undefined && mine.fd >= 0 && !mine.isRevoking;
  const isDue = mine?.deadlineMs != null && mine.deadlineMs <= core.clock.now();
  if (lives && !isDue) return null;
  const now = Date.now() + SLACK_MS;
  if (ending && ending.at <= now) return ending.reason;
  const hasExpired = mine?.isRevoking || isDue || (expiresAt ?? leaseMs) <= now;
  return hasExpired ? "expired" : "agent-restart";
}

/** Its times, on the boot clock as its warden knows them. */
function schedule(core: Core, live: Live, { deadlineMs }: Held): void {
  const { record } = live;
  const now = core.clock.now();
  const byRecord = now + (record.expiresAt ?? 0) - Date.now();
  const isAnnounced = record.ending !== null && record.ending.reason !== "expired";
  live.leaseEndsAt = isAnnounced ? byRecord : (deadlineMs ?? byRecord);
  live.noticeAt = live.leaseEndsAt - Math.min(core.config.noticeMs, record.leaseMs / 10);
  if (isAnnounced) {
    const { reason, at } = record.ending!;
    live.announced = { at: deadlineMs ?? now + at - Date.now(), reason, actor: announcerOf(core, record) };
  }
  core.ledger.schedule(live);
}

function announcerOf(core: Core, { id }: Record): string {
  const [row] = core.store.all<{ actor: string }>(
    "SELECT actor FROM audit WHERE delegation = ? AND action = 'delegation.announced' ORDER BY seq DESC LIMIT 1",
    id,
  );
  return row?.actor ?? "agent";
}

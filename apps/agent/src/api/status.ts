import { release } from "node:os";
import type { Status } from "@lendbuf/shared/status";
import type { Core } from "../core.ts";
import { devicesOf } from "./devices.ts";
import { states } from "./states.ts";
import { input, type Output, router, subscription } from "./trpc.ts";

export const statusRouter = router({
  get: input("status.get").query(({ ctx: { core } }): Output<"status.get"> => statusOf(core)),
  watch: subscription("status.watch").subscription(({ ctx }) =>
    states(ctx, ctx.core.changed, (): Output<"status.watch"> => statusOf(ctx.core)),
  ),
});

function statusOf(core: Core): Status {
  const { config, store } = core;
  const { connectionsPerUid, delegationsPerUid, waitingPerUid, maxLeaseMs, reservationsPerUid, maxAheadMs } = config;
  const status: Status = {
    version: core.version,
    pid: process.pid,
    uid: process.getuid!(),
    host: config.host,
    kernel: release(),
    bootId: core.bootId,
    startedAt: core.startedAt,
    socket: config.socketPath,
    stateDirectory: config.stateDirectory,
    url: core.doors.url,
    store: {
      state: store.problem ? "refusing" : "ok",
      problem: store.problem,
      unrecorded: store.unwritten,
      keptAside: store.keptAside,
    },
    devices: devicesOf(core),
    counts: countsOf(core),
    limits: {
      connectionsPerUid,
      delegationsPerUid,
      waitingPerUid,
      maxLeaseMs,
      reservationsPerUid,
      maxAheadMs,
      files: core.fileLimit,
    },
    warnings: [],
  };
  return { ...status, warnings: warningsOf(status) };
}

function clientsOf({ doors }: Core): number {
  const { socket, websocket } = doors.counts();
  return socket + websocket;
}

function countsOf(core: Core): Status["counts"] {
  const counts = {
    buffers: core.buffers.size,
    lent: 0,
    offered: 0,
    waiting: 0,
    revoking: 0,
    unproven: 0,
    clients: clientsOf(core),
  };
  for (const { record } of core.ledger.live.values()) {
    if (record.state === "active") counts.lent++;
    else if (record.state === "offered") counts.offered++;
    else if (record.state === "waiting") counts.waiting++;
    else if (record.state === "revoking") counts.revoking++;
    if (record.revocation?.unproven) counts.unproven++;
  }
  return counts;
}

function warningsOf({ store, devices, counts, limits }: Status): string[] {
  const warnings: string[] = [];
  if (store.problem) warnings.push(`Nothing new can be lent: ${store.problem}`);
  if (store.unrecorded > 0)
    warnings.push(
      `${store.unrecorded} changes are in force and not on disk yet; they are written as soon as the store takes them.`,
    );
  if (store.keptAside)
    warnings.push(`The database was corrupt at this start. It was kept as ${store.keptAside}; the books begin anew.`);
  for (const device of devices)
    if (device.problem) warnings.push(`Device ${device.name} is ${device.state}: ${device.problem}`);
  for (const { name, drained } of devices)
    if (drained)
      warnings.push(
        `Nothing new of ${name} is lent${drained.until === null ? "" : ` until ${new Date(drained.until).toISOString()}`}: ${drained.reason} (${drained.by}).`,
      );
  if (counts.unproven > 0)
    warnings.push(
      `${counts.unproven} delegations ended without a proof that their memory is out of reach: see \`lendbuf delegations\`.`,
    );
  if (limits.files < LOW_FILES)
    warnings.push(
      `The agent may open ${limits.files} files, so about ${Math.floor((limits.files - 100) / 2)} delegations. Raise the limit (ulimit -n, LimitNOFILE=) for more.`,
    );
  return warnings;
}

const LOW_FILES = 4096;

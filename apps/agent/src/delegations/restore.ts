import type { Method, Proof } from "@lendbuf/shared/delegation";
import { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import { OPENED_ANEW } from "../devices/vfio.ts";
import { confirm, end } from "../revocation/end.ts";
import { forget, hear, knownInstances, type Testimony } from "../wardens/last-word.ts";
import { forgetWord } from "../wardens/succession.ts";
import { adopt } from "./adopt.ts";
import { type Live, newLive, type Record, recordOf } from "./live.ts";
import { advanceAll, startOffer, startWait } from "./queue.ts";

const LISTEN_AGAIN_MS = 100;

/** Takes up what an earlier agent left: who waits or has an offer goes on; whatever was exported ends, with the proof that can be had, unless its warden was taken over. */
export function restore(core: Core): void {
  const rows = core.store.all<{ record: string }>(
    "SELECT record FROM delegations WHERE state IN ('waiting', 'offered', 'active', 'revoking') ORDER BY id",
  );
  const records = rows.map(({ record }) => recordOf(JSON.parse(record))).filter(({ id }) => !core.ledger.live.has(id));
  const isExported = ({ state }: Record) => state === "active" || state === "revoking";
  const orphans = adopt(core, records.filter(isExported), (record) => formerBuffer(core, record));
  for (const record of records) if (!isExported(record)) goOn(core, record);
  endAll(
    core,
    orphans.map((record) => takeUp(core, record)),
  );
  advanceAll(core);
}

function goOn(core: Core, record: Record): void {
  const target = core.buffers.find(record.buffer);
  const live = newLive(record, target ?? formerBuffer(core, record));
  core.ledger.add(live);
  if (!target) end(core, [live], "device-lost", "agent");
  else if (record.state === "offered") startOffer(core, live);
  else startWait(core, live);
}

/**
 * The device has a new warden with memory of its own, so what is left of the old exports does not occupy the buffer: it stands
 * on its own in the books until its end is proven.
 */
function takeUp(core: Core, record: Record): Live {
  const live = newLive(record, formerBuffer(core, record));
  core.ledger.add(live);
  return live;
}

function formerBuffer(core: Core, { buffer, device, size }: Record): Buffer<Live> {
  const known = core.devices.get(device) ?? [...core.devices.values()][0]!;
  const definition = {
    name: buffer,
    device,
    region: 0,
    ranges: [{ offset: 0, length: size }],
    share: "shared",
    scrub: "none",
    description: "",
  } as const;
  return new Buffer<Live>({ ...definition, ranges: [...definition.ranges], tags: [] }, known, false);
}

function endAll(core: Core, lives: readonly Live[]): void {
  const open = lives.filter(({ record }) => record.state === "active");
  const revocation = {
    attempts: 0,
    method: null,
    lastErrno: null,
    waitingFor: null,
    unproven: false,
    since: Date.now(),
  };
  core.ledger.settle(open, {
    actor: "agent",
    action: "delegation.ending",
    patch: { state: "revoking", reason: "agent-restart", client: null, ending: null, revocation },
  });
  listen(core, lives);
}

/** Hears what the wardens have to say; asks again while one still works. */
function listen(core: Core, lives: readonly Live[]): void {
  const heard = new Map<string, Testimony>();
  const proven = new Map<string, { lives: Live[]; proof: Proof }>();
  const pending: Live[] = [];
  for (const live of lives) {
    const verdict = judge(core, live.record, heard);
    if ("proof" in verdict) {
      const key = JSON.stringify([verdict.proof, live.record.reason]);
      const group = proven.get(key);
      if (group) group.lives.push(live);
      else proven.set(key, { lives: [live], proof: verdict.proof });
      continue;
    }
    if (verdict.listen) pending.push(live);
    show(core, live, verdict);
  }
  for (const { lives: group, proof } of proven.values()) confirm(core, group, proof);
  if (pending.length > 0) core.clock.after(LISTEN_AGAIN_MS, () => listen(core, pending));
  else forgetUnneeded(core);
}

type Verdict = { proof: Proof } | { listen: boolean; unproven: boolean; waitingFor: string; errno: string | null };

function judge(core: Core, record: Record, heard: Map<string, Testimony>): Verdict {
  const { export: exported } = record;
  if (!exported) return { proof: { ...OF_LAST_WORD, method: "never-exported", probe: "no export in the books" } };
  if (exported.bootId !== core.bootId)
    return { proof: { ...OF_LAST_WORD, method: "reboot", by: "boot-id", probe: "another boot id" } };
  let testimony = heard.get(exported.warden);
  if (!testimony) heard.set(exported.warden, (testimony = hear(core.config.stateDirectory, exported.warden)));
  if (testimony.kind === "working") {
    return { listen: true, unproven: false, errno: null, waitingFor: "the warden of the agent before still revokes" };
  }
  const errno = testimony.kind === "spoken" ? testimony.unrevoked.get(exported.id) : undefined;
  if (testimony.kind === "spoken" && errno === undefined) return { proof: ofLastWord(exported.method ?? "ftruncate") };
  const device = core.devices.get(record.device);
  // A memfd lives on without its device, so only its warden or its death by truncation tells.
  if (device?.kind.opensOnce && exported.method !== "ftruncate") {
    if (device.isReady) return { proof: OPENED_ANEW };
    return {
      listen: true,
      unproven: true,
      errno: errno ?? null,
      waitingFor: `${device.name} cannot be opened anew yet: once it can, nobody has it from before`,
    };
  }
  if (testimony.kind === "silent") {
    return {
      listen: false,
      unproven: true,
      errno: null,
      waitingFor: "its warden was killed without a last word: only a restart of the machine proves the end",
    };
  }
  return {
    listen: false,
    unproven: true,
    errno: errno!,
    waitingFor:
      exported.method === "last-reference"
        ? "others had it still at its warden's end, and nothing takes it back by force: only a restart of the machine proves the end"
        : `its warden's last word is that the kernel answered ${errno}`,
  };
}

const OF_LAST_WORD = { scope: "buffer", by: "last-word", answer: "0", durationUs: null } as const;

function ofLastWord(method: Method): Proof {
  const scope = method === "last-reference" ? "none" : OF_LAST_WORD.scope;
  return { ...OF_LAST_WORD, method, scope, probe: "its warden's last word" };
}

function show(core: Core, live: Live, verdict: Exclude<Verdict, { proof: Proof }>): void {
  const { record } = live;
  const before = record.revocation;
  if (before?.waitingFor === verdict.waitingFor) return;
  core.ledger.settle([live], {
    actor: "agent",
    action: verdict.unproven ? "delegation.unproven" : "delegation.ending",
    patch: {
      state: "revoking",
      revocation: {
        attempts: before?.attempts ?? 0,
        method: record.export?.method ?? null,
        lastErrno: verdict.errno,
        waitingFor: verdict.waitingFor,
        unproven: verdict.unproven,
        since: before?.since ?? Date.now(),
      },
    },
  });
}

/** Last words are kept for as long as the books, in memory or on disk, may still need them. */
function forgetUnneeded(core: Core): void {
  if (core.store.problem || core.store.unwritten > 0 || core.store.keptAside) return;
  const { stateDirectory } = core.config;
  const needed = new Set([...core.devices.values()].map((device) => device.view().warden?.instance));
  for (const { record } of core.ledger.live.values()) needed.add(record.export?.warden);
  for (const instance of knownInstances(stateDirectory)) {
    if (!needed.has(instance) && hear(stateDirectory, instance).kind !== "working") {
      forget(stateDirectory, instance);
      forgetWord(stateDirectory, instance);
    }
  }
}

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Proof } from "@lendbuf/shared/delegation";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Between } from "../between/between.ts";
import { Hooks } from "../between/hooks.ts";
import { Buffer } from "../buffers/buffer.ts";
import { Deadlines } from "../clock/deadlines.ts";
import { Signal } from "../clock/signal.ts";
import type { Core } from "../core.ts";
import { Ledger } from "../delegations/ledger.ts";
import { BLANK, type Claimant, type Live } from "../delegations/live.ts";
import type { Device } from "../devices/device.ts";
import { createLog } from "../log.ts";
import { Store } from "../store/store.ts";
import { confirm } from "./end.ts";

const HOUR_MS = 3_600_000;
const PROOF: Proof = {
  method: "device-close",
  scope: "device",
  by: "warden",
  answer: "0",
  probe: "the device was opened anew",
  durationUs: 1,
};
const CLIENT: Claimant = { pid: 1, startTime: 1, uid: 1000, command: null, isClosed: false, holding: new Set() };

let directory: string;
let core: Core;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-end-"));
  const store = new Store({ directory, durability: "NORMAL" });
  const clock = new Deadlines();
  // What an end touches; only the device is none, for those that are revoked as a whole are made of hardware.
  const log = createLog();
  const ledger = new Ledger(store, clock, new Signal());
  const between = new Between({
    store,
    log,
    hooks: new Hooks([], log),
    resetIdle: [],
    buffers: { find: () => undefined, all: () => [] },
    lives: () => [],
    onChange() {},
  });
  core = { store, clock, ledger, log, between } as Partial<Core> as Core;
});

afterEach(() => {
  vi.useRealTimers();
  core.clock.close();
  core.store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** One whose device is being given up, with an hour left on its lease. */
function lostToAnother(): Live {
  const ranges = [{ offset: 0, length: 4096 }];
  const definition = { name: "pci/bar0", device: "pci", region: 0, ranges, share: "exclusive", scrub: "none" } as const;
  const device = { name: "pci", isReady: false } as Device;
  const target = new Buffer<Live>({ ...definition, ranges, description: "", tags: [] }, device, true);
  const now = Date.now();
  const fields = {
    ...BLANK,
    buffer: "pci/bar0",
    device: "pci",
    account: "uid:1000",
    requestedBy: "uid:1000",
    access: "read-write",
    share: "exclusive",
    size: 4096,
    leaseMs: HOUR_MS,
    offerMs: HOUR_MS,
    requestedAt: now,
    state: "active",
    claimedAt: now,
    expiresAt: now + HOUR_MS,
  } as const;
  const live = core.ledger.create(fields, target, { actor: "uid:1000", action: "delegation.borrowed" });
  live.claimant = CLIENT;
  live.leaseEndsAt = core.clock.now() + HOUR_MS;
  core.ledger.show([live], { state: "revoking", reason: "collateral" });
  return live;
}

describe("a delegation that was lost with its device", () => {
  it.each([
    ["as it is", 0],
    ["set forward", 100 * HOUR_MS],
    ["set back", -100 * HOUR_MS],
  ])("is offered anew for what was left of its lease, with the wall clock %s", (_how, shiftMs) => {
    const live = lostToAnother();
    vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + shiftMs });

    confirm(core, [live], PROOF);

    const offers = [...core.ledger.live.values()].map(({ record: { state, renews, leaseMs } }) => {
      return { state, renews, isWhatWasLeft: leaseMs > HOUR_MS / 2 && leaseMs <= HOUR_MS };
    });
    expect(offers).toEqual([{ state: "offered", renews: live.record.id, isWhatWasLeft: true }]);
  });
});

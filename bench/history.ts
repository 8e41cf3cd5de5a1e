// Books that an agent finds at its start, written by the agent's own store.
import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type Draft, Store } from "../apps/agent/src/store/store.ts";

const SOME_UUID = "0f8fad5b-d9cb-469f-a165-70867728950e";
const BUFFER = "sim0/ddr";
const WHO = { actor: "uid:1000 pid:4242", buffer: BUFFER, account: "uid:1000" };

const FILLS = {
  delegations(store: Store, many: number): void {
    for (let id = 1; id <= many; id++) {
      store.record(borrowed(id));
      store.record(ended(id));
    }
  },
  /** Buffers that are shared may overlap, so all have the same range. */
  buffers(store: Store, many: number): void {
    const ranges = [{ offset: 4 << 20, length: 65_536 }];
    for (let i = 0; i < many; i++) {
      const name = `bench/${String(i).padStart(6, "0")}`;
      const detail = { name, device: "sim0", region: 2, ranges, share: "shared", scrub: "none", description: "" };
      store.record({ at: Date.now(), actor: "bench", action: "buffer.defined", buffer: name, detail });
    }
  },
};

/** Fills a new store, in a process of its own: a database that this one had open stays locked for as long as it lives. */
export function fill(directory: string, what: keyof typeof FILLS, many: number): void {
  execFileSync(process.execPath, [fileURLToPath(import.meta.url), "fill", directory, what, String(many)]);
}

/** That process's part. */
export function fillHere([directory, what, many]: readonly string[]): void {
  const store = new Store({ directory: directory!, durability: "NORMAL" });
  FILLS[what as keyof typeof FILLS](store, Number(many));
  store.close();
}

/** What the agent records when a buffer is borrowed. */
export function borrowed(id: number): Draft {
  const at = Date.now();
  const detail = {
    buffer: BUFFER,
    device: "sim0",
    account: WHO.account,
    requestedBy: WHO.account,
    access: "read-write",
    share: "exclusive",
    keep: false,
    size: 65_536,
    leaseMs: 3_600_000,
    offerMs: 120_000,
    requestedAt: at,
    state: "active",
    claimedAt: at,
    expiresAt: at + 3_600_000,
    client: { pid: 4242, uid: 1000, command: "bench" },
    export: { warden: SOME_UUID, id, bootId: SOME_UUID, method: "ftruncate" },
    id,
  };
  return { at, ...WHO, action: "delegation.borrowed", delegation: id, state: "active", detail };
}

/** And when it was given back. */
export function ended(id: number): Draft {
  const at = Date.now();
  const proof = { method: "ftruncate", scope: "buffer", by: "warden", answer: "0", probe: "size 0", durationUs: 12 };
  const detail = {
    state: "revoked",
    reason: "released",
    endedAt: at,
    client: null,
    ending: null,
    revocation: null,
    proof,
  };
  return { at, ...WHO, action: "delegation.revoked", delegation: id, state: "revoked", detail };
}

// The product's promise: once an end is told, not one read that begins afterwards reaches the memory, whoever tries it and however.
import type { EndReason } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { type AgentProcess, startAgent } from "./harness.ts";
import type { Readers, ReadersOptions } from "./readers.ts";

const SIZE = 64 * 1024;
const LEASE_MS = 300;

let agent: AgentProcess;
let operator: ClientProcess;
const clients: ClientProcess[] = [];

async function newClient(): Promise<ClientProcess> {
  const client = await startClient(agent.socket);
  clients.push(client);
  return client;
}

beforeAll(async () => {
  agent = await startAgent();
  operator = await startClient(agent.socket);
  await operator.must("buffers.define", {
    name: "proof",
    device: "sim0",
    region: 2,
    ranges: [{ offset: 4 << 20, length: SIZE }],
  });
});

afterEach(async () => {
  for (const client of clients.splice(0)) await client.stop();
});

afterAll(async () => {
  await operator?.stop();
  await agent?.stop();
});

const FORMS = {
  "a writer's memory": { access: "read-write" },
  "an exclusive reader's memory": { access: "read-only", share: "exclusive" },
  "a sharer's mirror": { access: "read-only", share: "shared" },
};

interface Lent {
  id: number;
  client: ClientProcess;
}

/** Each brings the end about, and gives the moment at which it was told. */
const ENDS: Partial<Record<EndReason, (lent: Lent) => Promise<bigint>>> = {
  async operator({ id }) {
    return (await operator.must("delegations.revoke", { ids: [id] })).atNs;
  },
  async released({ id, client }) {
    return (await client.must("delegations.release", { id })).atNs;
  },
  async panic() {
    const { result, atNs } = await operator.must("delegations.revokeAll");
    expect(result).toMatchObject({ revoked: 1, remaining: 0 });
    return atNs;
  },
  async expired({ id }) {
    return (await operator.followToEnd(id)).atNs;
  },
  async disconnected({ id, client }) {
    await operator.must("delegations.follow", { id });
    await client.kill();
    return (await operator.awaitEnd()).atNs;
  },
};

describe.each(Object.entries(FORMS))("%s", (_form, { access, ...share }) => {
  const writes = access === "read-write";

  describe.each(Object.entries(ENDS))("taken away as %s", (reason, bringAbout) => {
    async function lend(mode: ReadersOptions["mode"]): Promise<Lent & { readers: Readers; askedNs: bigint }> {
      const client = await newClient();
      const leaseMs = reason === "expired" ? LEASE_MS : 3_600_000;
      const askedNs = process.hrtime.bigint();
      const { result, fd } = await client.must("delegations.borrow", {
        buffer: "proof",
        access,
        ...share,
        leaseMs,
      });
      const readers = await client.lend(fd, { size: SIZE, mode, writes });
      return { id: result.delegation.id, client, readers, askedNs };
    }

    it("kills bare holders by SIGBUS, and none of them reads again", async () => {
      const lent = await lend("bare");

      const toldNs = await bringAbout(lent);
      await lent.readers.ended;

      expect(lent.readers.lastReadNs()).toBeLessThanOrEqual(toldNs);
      expect(Object.fromEntries(lent.readers.ends)).toEqual({
        holder: "signal 7",
        child: "signal 7",
        receiver: "signal 7",
      });
    });

    it.each(["guarded", "pipe"] as const)("refuses holders with %s access, and they live on", async (mode) => {
      const lent = await lend(mode);

      const toldNs = await bringAbout(lent);
      await lent.readers.refused(50);

      expect(lent.readers.lastReadNs()).toBeLessThanOrEqual(toldNs);
      expect([...lent.readers.ends]).toEqual([]);
      const { result } = await operator.must("delegations.get", { id: lent.id });
      expect(result).toMatchObject({ state: "revoked", reason, proof: { method: "ftruncate", by: "warden" } });
      if (reason === "expired") {
        const tooEarlyNs = lent.askedNs + BigInt(LEASE_MS * 1e6);
        for (const { firstRefusedNs } of lent.readers.slots())
          expect(firstRefusedNs).toBeGreaterThanOrEqual(tooEarlyNs);
      }
    });
  });
});

it("leaves the holders of another delegation alone", async () => {
  const client = await newClient();
  const other = await newClient();
  const share = { buffer: "proof", access: "read-only", share: "shared" };
  const taken = await client.borrow(share);
  const kept = await other.borrow(share);
  const takenFrom = await client.lend(taken.fd, { size: SIZE, mode: "guarded" });
  const untouched = await other.lend(kept.fd, { size: SIZE, mode: "bare" });

  await operator.must("delegations.revoke", { ids: [taken.delegation.id] });

  expect(await takenFrom.canRead()).toBe(false);
  expect(await untouched.canRead()).toBe(true);
  expect([...untouched.ends]).toEqual([]);
});

import { readdirSync } from "node:fs";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";

const KIB = 1024;
const DDR = "sim0/ddr";

describe("a window onto a device", () => {
  let agent: AgentProcess;
  let client: Connection;
  let operator: Connection;

  beforeAll(async () => {
    agent = await startAgent();
  });

  afterAll(() => agent?.stop());

  beforeEach(async () => {
    [client, operator] = [await agent.connect(), await agent.connect()];
  });

  const borrow = (more = {}) => client.borrow({ buffer: DDR, exporter: "staged", ...more });

  it("starts as zeros, and is copied when its holder asks, both ways", async () => {
    await operator.call("buffers.poke", { name: DDR, offset: 8, value: "0x5eed" });
    await using lease = await borrow();
    const memory = lease.map();
    const before = memory.load(8, 32);

    const synced = await lease.sync("from-device", { offset: 8, length: 4 });
    memory.store(16, 64, 0x1122334455667788n);
    await lease.sync("to-device", { offset: 16, length: 8, width: 64 });
    const peeked = await operator.call("buffers.peek", { name: DDR, offset: 16, width: 64 });

    expect([before, memory.load(8, 32)]).toEqual([0, 0x5eed]);
    expect(synced).toEqual({ length: 4, durationMs: expect.any(Number) });
    expect(peeked.values).toEqual(["0x1122334455667788"]);
    expect(lease.delegation.exporter).toBe("staged");
  });

  it("copies all of it where nothing else is said", async () => {
    await using lease = await borrow();

    expect((await lease.sync("from-device")).length).toBe(8 * KIB * KIB);
  });

  it("is copied once at a time, so that no holder takes all of the warden's threads", async () => {
    await using lease = await borrow();
    const { warden } = (await operator.call("devices.list"))[0]!;
    const threads = () => readdirSync(`/proc/${warden!.pid}/task`).length;
    const before = threads();

    const copies = Array.from({ length: 40 }, () => lease.sync("from-device", { length: 512 * KIB, width: 8 }));
    const most: number[] = [];
    for (const copy of copies) {
      await copy;
      most.push(threads());
    }

    expect(Math.max(...most)).toBeLessThan(before + 8);
  });

  it("is taken back by itself, with what it was taken back by", async () => {
    const lease = await borrow();
    const memory = lease.map();

    const [ended] = await operator.call("delegations.revoke", { ids: [lease.delegation.id] });

    expect(ended).toMatchObject({
      state: "revoked",
      exporter: "staged",
      proof: { method: "ftruncate", probe: "size 0" },
    });
    expect(() => memory.load(0, 32)).toThrow("EFAULT");
    await expect(lease.sync("from-device")).rejects.toMatchObject({ code: "ENDED" });
  });

  it("goes on when a kept one is claimed again, by the same exporter", async () => {
    const { id } = await client.call("delegations.request", { buffer: DDR, exporter: "staged", keep: true });
    const first = await agent.connect();
    await first.claim(id);
    first.close();

    await using again = await claimWhenLeft(id);

    expect(again.delegation).toMatchObject({ id, exporter: "staged", state: "active" });
    expect((await again.sync("from-device", { length: 4096 })).length).toBe(4096);
  });

  async function claimWhenLeft(id: number) {
    for await (const { client: holder } of operator.subscribe("delegations.follow", { id })) if (!holder) break;
    return client.claim(id);
  }

  it.each([
    ["a copy of what was not claimed", "NOT_READY", /claim it first/, "offered"],
    ["a copy of what is no window", "UNSUPPORTED", /the exporter "memfd"/, "memfd"],
    ["a copy to the device from what is read-only", "NOT_ALLOWED", /read-only/, "read-only"],
  ] as const)("refuses %s", async (_, code, message, which) => {
    const asked = {
      offered: { exporter: "staged" },
      memfd: {},
      "read-only": { exporter: "staged", access: "read-only" },
    } as const;
    const { id } = await client.call("delegations.request", { buffer: DDR, ...asked[which] });
    if (which !== "offered") await client.claim(id);

    const synced = client.call("delegations.sync", { id, direction: "to-device" });

    await expect(synced).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await client.call("delegations.release", { id });
  });

  it.each([
    ["an offset that the width does not divide", { offset: 2, length: 4 }, /multiples of 4 bytes/],
    ["a length that the width does not divide", { length: 12, width: 64 }, /multiples of 8 bytes/],
    ["more than it has", { offset: 8 * KIB * KIB - 4, length: 8 }, /not in the window/],
    ["nothing at all", { offset: 8 * KIB * KIB }, /not in the window/],
  ] as const)("refuses to copy %s", async (_, part, message) => {
    await using lease = await borrow();

    await expect(lease.sync("from-device", part)).rejects.toMatchObject({
      code: "BAD_INPUT",
      message: expect.stringMatching(message),
    });
  });

  it("is not made by an exporter that the device has not", async () => {
    await expect(client.borrow({ buffer: DDR, exporter: "vfio" })).rejects.toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("it has memfd, staged"),
    });
  });

  it("lets nobody be suspended who has no real device", async () => {
    await expect(operator.call("devices.suspend", { name: "sim0" })).rejects.toMatchObject({ code: "UNSUPPORTED" });
    await expect(operator.call("devices.suspend", { name: "sim1" })).rejects.toMatchObject({ code: "NOT_FOUND" });
    expect((await operator.call("devices.resume", { name: "sim0" })).suspended).toBe(false);
  });
});

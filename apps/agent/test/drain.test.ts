import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";

const HOUR_MS = 3_600_000;
const BUFFER = "sim0/ch0";
const DRAIN = { name: "sim0", reason: "new firmware" };

let agent: AgentProcess;
let client: Connection;

beforeAll(async () => {
  agent = await startAgent();
  client = await agent.connect();
});
afterEach(async () => {
  await client.call("delegations.revokeAll");
  await client.call("devices.undrain", { name: "sim0" });
});
afterAll(() => agent.stop());

const stateOf = async (id: number) => {
  const { state, reason, ending } = await client.call("delegations.get", { id });
  return { state, reason, ending: ending?.reason ?? null };
};
const refusal = (code: string, words = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(words) }) as Error;

describe("of a device that is drained", () => {
  it("nothing new is lent: the refusal says why and until when, offers end, leases go on", async () => {
    const lease = await client.borrow({ buffer: "sim0/ch1" });
    const offered = await client.call("delegations.request", { buffer: "sim0/ch2" });
    const until = Date.now() + HOUR_MS;

    const device = await client.call("devices.drain", { ...DRAIN, until });

    expect(device.drained).toMatchObject({ reason: "new firmware", until });
    const words = new RegExp(`until ${new Date(until).toISOString()}: new firmware`);
    await expect(client.borrow({ buffer: BUFFER })).rejects.toThrow(refusal("DRAINED", words));
    expect(await stateOf(offered.id)).toMatchObject({ state: "cancelled", reason: "drained" });
    expect(await stateOf(lease.delegation.id)).toEqual({ state: "active", reason: null, ending: null });
    expect((await client.call("status.get")).warnings.join()).toContain("new firmware");
  });

  it("one may stand in line, is told when that is over, and is next when it is lifted", async () => {
    const until = Date.now() + HOUR_MS;
    await client.call("devices.drain", { ...DRAIN, until });

    const waiting = await client.call("delegations.request", { buffer: BUFFER, wait: true });
    const second = await client.call("delegations.request", { buffer: BUFFER, wait: true });

    expect(waiting).toMatchObject({ state: "waiting", expectedAt: until });
    expect(second.expectedAt).toBeGreaterThan(until + HOUR_MS);
    await client.call("devices.drain", DRAIN);
    expect((await client.call("delegations.get", { id: waiting.id })).expectedAt).toBeNull();
    await client.call("devices.undrain", { name: "sim0" });
    expect((await stateOf(waiting.id)).state).toBe("offered");
  });

  it("and is to be free now, leases end after notice, or at once", async () => {
    const one = await client.borrow({ buffer: BUFFER });

    await client.call("devices.drain", { ...DRAIN, now: true, noticeMs: HOUR_MS / 2 });
    expect(await stateOf(one.delegation.id)).toEqual({ state: "active", reason: null, ending: "drained" });
    await client.call("devices.drain", { ...DRAIN, now: true, noticeMs: 50 });
    for await (const { state, reason } of client.subscribe("delegations.follow", { id: one.delegation.id }))
      if (state === "revoked") expect(reason).toBe("drained");

    await client.call("devices.undrain", { name: "sim0" });
    const other = await client.borrow({ buffer: BUFFER });
    await client.call("devices.drain", { ...DRAIN, now: true, noticeMs: 0 });
    for await (const { state, reason } of client.subscribe("delegations.follow", { id: other.delegation.id }))
      if (state === "revoked") expect(reason).toBe("drained");
  });

  it("a reservation before its end is refused, one after it is taken", async () => {
    const until = Date.now() + HOUR_MS;
    await client.call("devices.drain", { ...DRAIN, until });
    const reserve = (from: number) => client.call("reservations.create", { buffer: BUFFER, from, to: from + HOUR_MS });

    await expect(reserve(until - 1000)).rejects.toThrow(refusal("DRAINED"));
    const { id } = await reserve(until + 1000);
    await client.call("reservations.cancel", { id });
  });

  it("a drain lifts itself when its time has come", async () => {
    await client.call("devices.drain", { ...DRAIN, until: Date.now() + 300 });

    for await (const { devices } of client.subscribe("status.watch")) if (devices[0]!.drained === null) break;
    expect((await client.borrow({ buffer: BUFFER })).delegation.state).toBe("active");
    const { items } = await client.call("audit.list", { limit: 5 });
    expect(items.find(({ action }) => action === "device.undrained")).toMatchObject({ actor: "agent" });
  });

  it("and there is none, or its end is past", async () => {
    await expect(client.call("devices.drain", { ...DRAIN, name: "sim9" })).rejects.toThrow(refusal("NOT_FOUND"));
    await expect(client.call("devices.drain", { ...DRAIN, until: Date.now() - 1 })).rejects.toThrow(
      refusal("BAD_INPUT"),
    );
  });
});

it("a drain survives SIGKILL, and lifts itself where its time came meanwhile", async () => {
  const first = await startAgent({ args: ["--system-memory", "1MiB"] });
  const { state, socket } = first;
  const before = await first.connect();
  const soon = Date.now() + 1500;
  const { drained } = await before.call("devices.drain", DRAIN);
  await before.call("devices.drain", { ...DRAIN, name: "ram0", until: soon });
  const waiting = await before.call("delegations.request", { buffer: BUFFER, wait: true });
  await first.crash();
  await new Promise((resolve) => setTimeout(resolve, Math.max(0, soon - Date.now() + 1)));

  await using agent = await startAgent({ state, socket, args: ["--system-memory", "1MiB"] });
  const client = await agent.connect();

  const devices = await client.call("devices.list");
  expect(devices.map((device) => [device.name, device.drained])).toEqual([
    ["sim0", drained],
    ["ram0", null],
  ]);
  expect((await client.call("delegations.get", { id: waiting.id })).state).toBe("waiting");
  await client.call("devices.undrain", { name: "sim0" });
  expect((await client.call("delegations.get", { id: waiting.id })).state).toBe("offered");
  await first.stop();
});

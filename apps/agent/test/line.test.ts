import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, until } from "./harness.ts";

const HOUR_MS = 3_600_000;
const OFFER_MS = 120_000;
/** Between a time that the agent noted and one that is noted here. */
const SLACK_MS = 10_000;

let agent: AgentProcess;
let client: Connection;

beforeAll(async () => {
  agent = await startAgent();
  client = await agent.connect();
});
afterEach(() => client.call("delegations.revokeAll"));
afterAll(() => agent.stop());

const inLine = (leaseMs: number, more: object = {}) =>
  client.call("delegations.request", { buffer: "sim0/ch0", leaseMs, wait: true, ...more });
const isFree = async () => (await client.call("buffers.get", { name: "sim0/ch0" })).state === "free";
const expectedAt = async (id: number) => (await client.call("delegations.get", { id })).expectedAt;

describe("who stands in line is told when the turn comes at the latest", () => {
  it("by the lease before, and by the offers and leases of those who are before in line", async () => {
    const { delegation } = await client.borrow({ buffer: "sim0/ch0", leaseMs: HOUR_MS });
    const first = await inLine(2 * HOUR_MS);
    const second = await inLine(HOUR_MS);

    expect([first.position, second.position]).toEqual([1, 2]);
    expect(first.expectedAt).toBe(delegation.expiresAt);
    expect(second.expectedAt).toBe(delegation.expiresAt! + OFFER_MS + 2 * HOUR_MS);
  });

  it("by an offer that may be claimed at its last moment", async () => {
    const offered = await client.call("delegations.request", { buffer: "sim0/ch0", leaseMs: HOUR_MS });

    expect((await inLine(HOUR_MS)).expectedAt).toBe(offered.offerEndsAt! + HOUR_MS);
  });

  it("readers who share have their turn together, and a writer after the last of them", async () => {
    const reader = { access: "read-only" };
    const { delegation } = await client.borrow({ buffer: "sim0/ch0", leaseMs: HOUR_MS });
    const [one, other] = [await inLine(HOUR_MS, reader), await inLine(3 * HOUR_MS, reader)];
    const writer = await inLine(HOUR_MS);

    expect([one.expectedAt, other.expectedAt]).toEqual([delegation.expiresAt, delegation.expiresAt]);
    expect(writer.expectedAt).toBe(delegation.expiresAt! + OFFER_MS + 3 * HOUR_MS);
  });

  it("later after an extension, earlier after somebody has given up", async () => {
    const lease = await client.borrow({ buffer: "sim0/ch0", leaseMs: HOUR_MS });
    const first = await inLine(HOUR_MS);
    const second = await inLine(HOUR_MS);
    const extended = await client.call("delegations.extend", { id: lease.delegation.id, byMs: HOUR_MS });

    expect(await expectedAt(first.id)).toBe(extended.expiresAt);
    await client.call("delegations.release", { id: first.id });
    expect(await expectedAt(second.id)).toBe(extended.expiresAt);
  });

  it("by nobody, while an end before it waits for the kernel", async () => {
    await client.borrow({ buffer: "sim0/ch0", leaseMs: HOUR_MS });
    const [warden] = agent.wardens;
    process.kill(warden!, "SIGSTOP");
    try {
      void client.call("delegations.revokeAll", { device: "sim0" }).catch(() => {});
      const late = client.call("delegations.request", { buffer: "sim0/ch0", leaseMs: HOUR_MS, wait: true });

      const { id, expectedAt } = await late;
      await client.call("delegations.release", { id });
      expect(expectedAt).toBeNull();
    } finally {
      process.kill(warden!, "SIGCONT");
    }
    await until(isFree, "it is free");
  });
});

describe("a lease", () => {
  const borrow = async (leaseMs: number) => (await client.borrow({ buffer: "sim0/ch0", leaseMs })).delegation;
  const extend = (id: number, byMs: number, shorten?: boolean) =>
    client.call("delegations.extend", { id, byMs, ...(shorten !== undefined && { shorten }) });

  it("becomes shorter only where that was said", async () => {
    const { id, expiresAt } = await borrow(2 * HOUR_MS);

    await expect(extend(id, -HOUR_MS)).rejects.toThrow(expect.objectContaining({ code: "BAD_INPUT" }));
    expect((await client.call("delegations.get", { id })).expiresAt).toBe(expiresAt);
    expect(await extend(id, -HOUR_MS, true)).toMatchObject({ expiresAt: expiresAt! - HOUR_MS, leaseMs: HOUR_MS });
  });

  it("ends when what was left after that is over", async () => {
    const { id } = await borrow(HOUR_MS);

    await extend(id, -HOUR_MS + SLACK_MS, true);
    const { expiresAt } = await client.call("delegations.get", { id });
    await extend(id, -(expiresAt! - Date.now() - 300), true);

    for await (const { state, reason } of client.subscribe("delegations.follow", { id }))
      if (state === "revoked") expect(reason).toBe("expired");
  });

  it("keeps something: all of it is given back, not taken", async () => {
    const { id } = await borrow(HOUR_MS);

    await expect(extend(id, -HOUR_MS, true)).rejects.toThrow(/lendbuf release/);
  });

  it("grows up to the longest there is, and where less will do by as much as there is room for", async () => {
    const { id, claimedAt } = await borrow(167 * HOUR_MS);
    const { limits } = await client.call("status.get");

    await expect(extend(id, 2 * HOUR_MS)).rejects.toThrow(expect.objectContaining({ code: "LIMIT" }));
    const { expiresAt } = await extend(id, 2 * HOUR_MS, true);

    expect(expiresAt! - claimedAt! - limits.maxLeaseMs).toBeGreaterThanOrEqual(-1);
    expect(expiresAt! - claimedAt! - limits.maxLeaseMs).toBeLessThan(SLACK_MS);
    await expect(extend(id, HOUR_MS)).rejects.toThrow(expect.objectContaining({ code: "LIMIT" }));
  });
});

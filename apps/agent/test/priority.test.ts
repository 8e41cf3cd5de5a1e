import { chmodSync } from "node:fs";
import { dirname } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startClient } from "./client-process.ts";
import { type AgentProcess, runAgent, startAgent } from "./harness.ts";

const BUFFER = "sim0/ch0";

let agent: AgentProcess;
let client: Connection;

beforeAll(async () => {
  agent = await startAgent({ args: ["--notice", "300ms", "--priority", "uid:4321=5"] });
  client = await agent.connect();
});
afterEach(() => client.call("delegations.revokeAll"));
afterAll(() => agent.stop());

const inLine = (priority: number, more: object = {}) =>
  client.call("delegations.request", { buffer: BUFFER, priority, wait: true, ...more });
const look = (id: number) => client.call("delegations.get", { id });

describe("who has a higher priority", () => {
  it("goes before those in line who have less, and after those who came before with as much", async () => {
    await client.call("delegations.request", { buffer: BUFFER, priority: 9 });
    const ids = [];
    for (const priority of [0, 5, -5, 5]) ids.push((await inLine(priority)).id);

    expect((await Promise.all(ids.map(look))).map(({ position }) => position)).toEqual([3, 1, 4, 2]);
  });

  it("has the end of who has it announced, and gets it when the notice is over", async () => {
    const lease = await client.borrow({ buffer: BUFFER });
    const next = await inLine(1);

    expect((await look(lease.delegation.id)).ending).toMatchObject({ reason: "preempted" });
    for await (const { state, reason } of client.subscribe("delegations.follow", { id: lease.delegation.id }))
      if (state === "revoked") expect(reason).toBe("preempted");
    expect((await look(next.id)).state).toBe("offered");
  });

  it("ends an offer at once", async () => {
    const offered = await client.call("delegations.request", { buffer: BUFFER });
    const next = await inLine(1);

    expect(await look(offered.id)).toMatchObject({ state: "cancelled", reason: "preempted" });
    expect((await look(next.id)).state).toBe("offered");
  });

  it("and gives up: who was told to go may stay", async () => {
    const { delegation } = await client.borrow({ buffer: BUFFER });
    const next = await inLine(1);
    await client.call("delegations.release", { id: next.id });

    expect(await look(delegation.id)).toMatchObject({ state: "active", ending: null });
    expect((await client.call("delegations.extend", { id: delegation.id, byMs: 1000 })).state).toBe("active");
  });

  it("tells nobody to go who has as much, or had it reserved", async () => {
    const { delegation } = await client.borrow({ buffer: BUFFER, priority: 3 });
    await inLine(3);
    expect((await look(delegation.id)).ending).toBeNull();
    await client.call("delegations.revokeAll");
    const from = Date.now() + 200;
    const { id } = await client.call("reservations.create", { buffer: BUFFER, from, to: from + 60_000 });
    for await (const { items } of client.subscribe("reservations.watch")) if (items.length === 0) break;
    const { items } = await client.call("reservations.list", { all: true });
    const lease = await client.claim(items.find((one) => one.id === id)!.delegation!);

    await inLine(3);

    expect((await look(lease.delegation.id)).ending).toBeNull();
  });
});

describe.skipIf(process.getuid!() !== 0)("an account (run as root to see it)", () => {
  it("asks with as much as it may, and an operator with any", async () => {
    chmodSync(dirname(agent.socket), 0o711);
    await using peer = {
      other: await startClient(agent.socket, { uid: 4321, gid: process.getgid!() }),
      async [Symbol.asyncDispose]() {
        await this.other.stop();
      },
    };
    const ask = (priority: number) =>
      peer.other.ask("delegations.request", { buffer: "sim0/ch1", priority, wait: true });

    expect((await ask(6)).error!.data.code).toBe("NOT_ALLOWED");
    expect((await ask(5)).result.priority).toBe(5);
    expect((await ask(-5)).result.priority).toBe(-5);
    expect(
      (await client.call("delegations.request", { buffer: "sim0/ch1", priority: 100, wait: true })).position,
    ).toBeNull();
  });
});

it("a priority that makes no sense keeps the agent from starting", async () => {
  const { code, stderr } = await runAgent(["--priority", "alice=most"]);

  expect(stderr).toMatch(/--priority has "alice=most"; it takes accounts with numbers/);
  expect(code).not.toBe(0);
});

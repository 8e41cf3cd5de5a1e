// What a real agent tells of a lease.
import { once } from "node:events";
import { closeSync } from "node:fs";
import { createMemfd } from "@lendbuf/native/addon";
import type { Delegation } from "@lendbuf/shared/delegation";
import { describe, expect, it } from "vitest";
import { Closed, ConnectionLost, Revoked } from "../src/errors.ts";
import { eventsBetween, type LeaseEvents } from "../src/follower.ts";
import type { Lease } from "../src/lease.ts";
import { AgentStub } from "./agent-stub.ts";
import { BUFFER, clientAndOperator } from "./client-and-operator.ts";

const EVENTS = ["ending", "extended", "suspended", "resumed", "revoking", "revoked", "lost"] as const;

const here = clientAndOperator();

function nextOf<E extends keyof LeaseEvents>(lease: Lease, event: E): Promise<LeaseEvents[E]> {
  return new Promise((resolve) => lease.once(event, (...args) => resolve(args)));
}

/** Of the lease from now on, in order. */
function recordOf(lease: Lease): string[] {
  const record: string[] = [];
  for (const event of EVENTS) lease.on(event, () => record.push(event));
  return record;
}

describe("a lease", () => {
  it("tells that it was extended, that its end was announced, and that it has ended", async () => {
    const lease = await here.connection.borrow(BUFFER, { for: "10m" });
    const { id, expiresAt } = lease.delegation;
    const record = recordOf(lease);

    const extended = nextOf(lease, "extended");
    await lease.extend("5m");
    const [later] = await extended;
    const ending = nextOf(lease, "ending");
    await here.operator.call("delegations.revoke", { ids: [id], noticeMs: 60_000 });
    const [announced] = await ending;
    const revoked = nextOf(lease, "revoked");
    await here.operator.call("delegations.revoke", { ids: [id] });
    const [ended] = await revoked;

    expect(later.expiresAt).toBeGreaterThan(expiresAt!);
    expect(announced.ending?.reason).toBe("operator");
    expect(ended).toMatchObject({ state: "revoked", reason: "operator", proof: { answer: "0" } });
    expect(record.filter((event) => event !== "revoking")).toEqual(["extended", "ending", "revoked"]);
  });

  it("knows the reason of what fails once it was told", async () => {
    const lease = await here.connection.borrow(BUFFER);
    const revoked = nextOf(lease, "revoked");

    await here.operator.call("delegations.revokeAll");
    await revoked;

    let error: unknown;
    try {
      lease.load32(0);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(Revoked);
    expect(error).toMatchObject({ reason: "panic" });
  });

  it("tells also what has happened before somebody listened", async () => {
    const lease = await here.connection.borrow(BUFFER);
    await here.operator.call("delegations.revoke", { ids: [lease.delegation.id] });

    const [ended] = await nextOf(lease, "revoked");

    expect(ended.reason).toBe("operator");
  });

  it("tells that its connection is gone, also where that was before somebody listened", async () => {
    const lease = await here.connection.borrow(BUFFER);
    const lost = nextOf(lease, "lost");

    here.connection.close();

    expect(await lost).toEqual([expect.objectContaining({ state: "active" }), expect.any(ConnectionLost)]);
    const other = await here.operator.borrow(BUFFER, { wait: "10s" });
    await other.release();
    const late = await here.agent.connect();
    const second = await late.borrow(BUFFER);
    late.close();
    expect((await nextOf(second, "lost"))[1]).toBeInstanceOf(ConnectionLost);
  });

  it("tells nothing after it was closed or released here", async () => {
    const lease = await here.connection.borrow(BUFFER, { keep: true });
    const record = recordOf(lease);
    const { id } = lease.delegation;

    lease.close();
    const follower = here.operator.subscribe("delegations.follow", { id });
    await here.operator.call("delegations.revoke", { ids: [id] });
    for await (const _state of follower);
    await here.connection.call("status.get");

    expect(record).toEqual([]);
    expect(() => lease.on("revoked", () => {})).toThrow(Closed);
  });

  it("no longer tells whom it was told not to", async () => {
    const lease = await here.connection.borrow(BUFFER);
    const heard: string[] = [];
    const listener = () => heard.push("off");
    lease.on("revoked", listener).off("revoked", listener);

    const revoked = nextOf(lease, "revoked");
    await here.operator.call("delegations.revoke", { ids: [lease.delegation.id] });
    await revoked;

    expect(heard).toEqual([]);
  });

  it("goes on telling where a listener throws, which is an uncaught exception", async () => {
    const lease = await here.connection.borrow(BUFFER);
    const ours = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught = once(process, "uncaughtException");
    const revoked = nextOf(lease, "revoked");
    lease.on("extended", () => {
      throw new Error("a listener's own");
    });

    await lease.extend("5m");
    const [error] = await uncaught;
    for (const listener of ours) process.on("uncaughtException", listener);
    await here.operator.call("delegations.revoke", { ids: [lease.delegation.id] });

    expect(error).toMatchObject({ message: "a listener's own" });
    expect((await revoked)[0].state).toBe("revoked");
  });
});

it("follows a delegation once for all listeners, and not before there is one", async () => {
  using stub = new AgentStub();
  using client = await stub.connect();
  const memfd = createMemfd("x", 4096);
  const answer = client.borrow("x");
  const delegation = { id: 7, buffer: "x", access: "read-write", state: "active" };
  const claim = { delegation, fds: ["export"], size: 4096 };
  stub.send({ id: (await stub.request()).id, result: claim }, [memfd]);
  const lease = await answer;

  const asked = client.call("status.get");
  const status = await stub.request();
  stub.send({ id: status.id, result: {} });
  await asked;
  lease.on("ending", () => {}).on("revoked", () => {});
  const follow = await stub.request();
  lease.close();
  closeSync(memfd);

  expect(status.method).toBe("status.get");
  expect(follow).toMatchObject({ method: "delegations.follow", params: { id: 7 } });
  expect(await stub.request()).toMatchObject({ method: "cancel", params: { id: follow.id } });
});

it.each<[string, Partial<Delegation>, Partial<Delegation>, string[]]>([
  ["nothing", {}, {}, []],
  ["a suspension", {}, { suspended: true }, ["suspended"]],
  ["its end", { suspended: true }, {}, ["resumed"]],
  ["a later end", { expiresAt: 1 }, { expiresAt: 2 }, ["extended"]],
  ["an announced end", {}, { ending: { reason: "expired", at: 5, told: 1 } }, ["ending"]],
  [
    "one that is told again",
    { ending: { reason: "expired", at: 5, told: 1 } },
    { ending: { reason: "expired", at: 5, told: 2 } },
    ["ending"],
  ],
  [
    "one that was told",
    { ending: { reason: "expired", at: 5, told: 1 } },
    { ending: { reason: "expired", at: 5, told: 1 } },
    [],
  ],
  ["an end that begins", {}, { state: "revoking" }, ["revoking"]],
  ["one that hangs", { state: "revoking" }, { state: "revoking" }, []],
  ["an end that has come", { state: "revoking" }, { state: "revoked" }, ["revoked"]],
])("%s is seen between two states", (_name, before, now, events) => {
  const base = { state: "active", expiresAt: 1, ending: null, suspended: false };

  expect(eventsBetween({ ...base, ...before } as Delegation, { ...base, ...now } as Delegation)).toEqual(events);
});

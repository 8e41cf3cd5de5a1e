import { chmodSync, chownSync, rmSync } from "node:fs";
import type { Connection } from "@lendbuf/client/connection";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Reservation } from "@lendbuf/shared/reservation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { startClient } from "./client-process.ts";
import { type AgentProcess, ordinaryUser, startAgent, temporaryFolder } from "./harness.ts";

const HOUR_MS = 3_600_000;
const OTHER = "uid:4321";
const BUFFER = "sim0/ch0";

let agent: AgentProcess;
let client: Connection;

beforeAll(async () => {
  agent = await startAgent();
  client = await agent.connect();
});
afterEach(() => clear(client));
afterAll(() => agent.stop());

async function clear(client: Connection): Promise<void> {
  for (const { id } of (await client.call("reservations.list")).items) await client.call("reservations.cancel", { id });
  await client.call("delegations.revokeAll");
}

/** For somebody else, so that it is in our way. */
const reserve = (inMs: number, forMs: number, more: object = {}, by = client): Promise<Reservation> => {
  const from = Date.now() + inMs;
  return by.call("reservations.create", { buffer: BUFFER, from, to: from + forMs, account: OTHER, ...more });
};
const refusal = (code: string, words = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(words) }) as Error;

/** What a reservation has become, when it has. */
async function begun(client: Connection, id: number): Promise<Delegation> {
  for await (const { items } of client.subscribe("reservations.watch")) if (!items.some((one) => one.id === id)) break;
  const { items } = await client.call("reservations.list", { all: true });
  return client.call("delegations.get", { id: items.find((one) => one.id === id)!.delegation! });
}

describe("until its time a reservation keeps others out", () => {
  it("a request that would run into it is refused with its times, and one that would not is granted", async () => {
    const { from, to } = await reserve(2 * HOUR_MS, HOUR_MS);

    await expect(client.borrow({ buffer: BUFFER, leaseMs: 3 * HOUR_MS })).rejects.toThrow(
      refusal("RESERVED", new RegExp(`from ${new Date(from).toISOString()} to ${new Date(to).toISOString()}`)),
    );
    await expect(client.call("delegations.request", { buffer: BUFFER, leaseMs: 2 * HOUR_MS - 1000 })).rejects.toThrow(
      refusal("RESERVED"), // claimed at the last moment of the offer it would run into it
    );
    expect((await client.borrow({ buffer: BUFFER, leaseMs: HOUR_MS })).delegation.state).toBe("active");
  });

  it("or is granted for less, where less will do", async () => {
    const { from } = await reserve(HOUR_MS, HOUR_MS);

    const { delegation } = await client.borrow({ buffer: BUFFER, leaseMs: 3 * HOUR_MS, shorten: true });

    expect(Math.abs(delegation.expiresAt! - from)).toBeLessThan(50);
  });

  it("or waits until it is over, while who fits before may pass", async () => {
    const { to } = await reserve(HOUR_MS, HOUR_MS);

    const long = await client.call("delegations.request", { buffer: BUFFER, leaseMs: 2 * HOUR_MS, wait: true });
    const short = await client.call("delegations.request", { buffer: BUFFER, leaseMs: 1000, wait: true });

    expect(long).toMatchObject({ state: "waiting", expectedAt: to });
    expect(short.state).toBe("offered");
    await client.call("delegations.release", { id: short.id });
    expect((await client.call("delegations.get", { id: long.id })).state).toBe("waiting");
  });

  it("an extension stops before it", async () => {
    const { id, expiresAt } = (await client.borrow({ buffer: BUFFER, leaseMs: HOUR_MS })).delegation;
    const { from } = await reserve(2 * HOUR_MS, HOUR_MS);

    await expect(client.call("delegations.extend", { id, byMs: 2 * HOUR_MS })).rejects.toThrow(refusal("RESERVED"));
    expect((await client.call("delegations.get", { id })).expiresAt).toBe(expiresAt);
    const extended = await client.call("delegations.extend", { id, byMs: 2 * HOUR_MS, shorten: true });
    expect(Math.abs(extended.expiresAt! - from)).toBeLessThan(50);
    expect(extended.expiresAt).toBeLessThanOrEqual(from + 1);
  });

  it("not its own account, not who shares where it shares, and nobody once it is cancelled", async () => {
    const own = await reserve(HOUR_MS, HOUR_MS, { account: undefined });
    expect((await client.borrow({ buffer: BUFFER, leaseMs: 3 * HOUR_MS })).delegation.state).toBe("active");
    await client.call("delegations.revokeAll");
    await client.call("reservations.cancel", { id: own.id });
    const reading = { access: "read-only" } as const;
    const shared = await reserve(HOUR_MS, HOUR_MS, reading);

    expect((await client.borrow({ buffer: BUFFER, leaseMs: 3 * HOUR_MS, ...reading })).delegation.state).toBe("active");
    await client.call("delegations.revokeAll");
    const waiting = await client.call("delegations.request", { buffer: BUFFER, leaseMs: 3 * HOUR_MS, wait: true });
    expect(waiting.state).toBe("waiting");
    await client.call("reservations.cancel", { id: shared.id });
    expect((await client.call("delegations.get", { id: waiting.id })).state).toBe("offered");
  });
});

describe("a reservation is refused", () => {
  it("where another is in the way, with its times", async () => {
    const { from } = await reserve(HOUR_MS, HOUR_MS);

    await expect(reserve(90 * 60_000, HOUR_MS)).rejects.toThrow(
      refusal("RESERVED", new RegExp(new Date(from).toISOString())),
    );
    expect((await reserve(2 * HOUR_MS, HOUR_MS)).state).toBe("booked");
  });

  it("where somebody has it for longer than until then", async () => {
    const { delegation } = await client.borrow({ buffer: BUFFER, leaseMs: 2 * HOUR_MS });
    const end = new RegExp(new Date(delegation.expiresAt!).toISOString());

    await expect(reserve(HOUR_MS, HOUR_MS)).rejects.toThrow(refusal("BUSY", end));
    expect((await reserve(2 * HOUR_MS + 1000, HOUR_MS)).state).toBe("booked");
  });

  it.each([
    ["in the past", -HOUR_MS, 2 * HOUR_MS, "BAD_INPUT", /past/],
    ["that ends before it begins", 2 * HOUR_MS, -HOUR_MS, "BAD_INPUT", /ends after it begins/],
    ["for longer than the longest lease", HOUR_MS, 169 * HOUR_MS, "LIMIT", /longest here/],
    ["too far ahead", 91 * 24 * HOUR_MS, HOUR_MS, "LIMIT", /ahead/],
  ] as const)("%s", async (_name, inMs, forMs, code, words) => {
    await expect(reserve(inMs, forMs)).rejects.toThrow(refusal(code, words));
  });

  it("where the account has as many as it may", async () => {
    for (let i = 0; i < 32; i++) await reserve((i + 1) * HOUR_MS, HOUR_MS);

    await expect(reserve(40 * HOUR_MS, HOUR_MS)).rejects.toThrow(refusal("LIMIT", /32 reservations/));
  });
});

describe("when its time has come", () => {
  it("it is offered to its account, and the lease ends when it said", async () => {
    const { id, to } = await reserve(300, HOUR_MS, { account: undefined });

    const offered = await begun(client, id);
    const lease = await client.claim(offered.id);

    expect(offered).toMatchObject({ state: "offered", reservation: id, until: to });
    expect(Math.abs(lease.delegation.expiresAt! - to)).toBeLessThan(50);
    expect(lease.delegation.expiresAt).toBeLessThanOrEqual(to);
    await expect(client.call("reservations.cancel", { id })).rejects.toThrow(refusal("ENDED", /has begun/));
  });

  it("it is first in line behind its own account's lease", async () => {
    const { delegation } = await client.borrow({ buffer: BUFFER, leaseMs: HOUR_MS });
    const before = await client.call("delegations.request", { buffer: BUFFER, leaseMs: 1000, wait: true });
    const { id } = await reserve(300, HOUR_MS, { account: undefined });

    const waiting = await begun(client, id);

    expect(waiting).toMatchObject({ state: "waiting", position: 1 });
    expect((await client.call("delegations.get", { id: before.id })).position).toBe(2);
    await client.call("delegations.release", { id: delegation.id });
    expect((await client.call("delegations.get", { id: waiting.id })).state).toBe("offered");
  });

  it("and its whole time passes in line, it is over", async () => {
    await client.borrow({ buffer: BUFFER, leaseMs: HOUR_MS });
    const { id } = await reserve(100, 400, { account: undefined });
    const waiting = await begun(client, id);

    for await (const { state, reason } of client.subscribe("delegations.follow", { id: waiting.id }))
      if (state === "cancelled") expect(reason).toBe("lapsed");
  });
});

describe("an agent with a short patience", () => {
  it("gives a reservation that nobody claims to who is next", async () => {
    await using agent = await startAgent({ args: ["--no-show", "300ms"] });
    const client = await agent.connect();
    const { id } = await reserve(200, HOUR_MS, {}, client);
    const next = await client.call("delegations.request", { buffer: BUFFER, leaseMs: HOUR_MS, wait: true });
    const offered = await begun(client, id);
    expect(next.state).toBe("waiting");

    for await (const { state, reason } of client.subscribe("delegations.follow", { id: offered.id }))
      if (state === "cancelled") expect(reason).toBe("no-show");
    expect((await client.call("delegations.get", { id: next.id })).state).toBe("offered");
  });
});

describe("after a SIGKILL", () => {
  it("what was booked is booked, what is due begins, what is over was missed", async () => {
    const first = await startAgent();
    const { state, socket } = first;
    let client = await first.connect();
    const later = await reserve(HOUR_MS, HOUR_MS, { purpose: "later" }, client);
    const due = await reserve(1500, HOUR_MS, { buffer: "sim0/ch1" }, client);
    const over = await reserve(1500, 1, { buffer: "sim0/ch2" }, client);
    const cancelled = await reserve(1500, HOUR_MS, { buffer: "sim0/ch3" }, client);
    await client.call("reservations.cancel", { id: cancelled.id });
    await first.crash();
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, over.to - Date.now() + 1)));

    await using agent = await startAgent({ state, socket });
    client = await agent.connect();
    const { items } = await client.call("reservations.list", { all: true });
    const of = ({ id }: Reservation) => items.find((one) => one.id === id)!;

    expect(of(later)).toEqual(later);
    expect(of(due)).toMatchObject({ state: "begun", delegation: expect.any(Number) });
    expect([of(over).state, of(cancelled).state]).toEqual(["missed", "cancelled"]);
    expect(await client.call("delegations.get", { id: of(due).delegation! })).toMatchObject({
      state: "offered",
      account: OTHER,
      until: due.to,
    });
    expect((await client.call("audit.verify")).ok).toBe(true);
    const again = await agent.connect();
    expect((await reserve(3 * HOUR_MS, HOUR_MS, {}, again)).id).toBe(cancelled.id + 1);
    await first.stop();
  });
});

describe.skipIf(ordinaryUser().uid === undefined)("somebody else (run as root to see it)", () => {
  it("sees when it is taken, where it may see no more, and cancels only its own", async () => {
    const { uid } = ordinaryUser();
    const folder = temporaryFolder();
    chmodSync(folder, 0o711);
    chownSync(folder, uid!, uid!);
    await using agent = await startAgent({
      args: ["--visibility", "own"],
      uid: uid!,
      state: `${folder}/state`,
      socket: `${folder}/agent.sock`,
    });
    const operator = await startClient(agent.socket, { uid: uid! });
    const other = await startClient(agent.socket, { uid: 4321, gid: uid! });
    const from = Date.now() + HOUR_MS;
    const wish = { buffer: BUFFER, from, to: from + HOUR_MS, purpose: "secret" };
    const { result: theirs } = await operator.must("reservations.create", wish);
    const { result: mine } = await other.must("reservations.create", { ...wish, buffer: "sim0/ch1" });

    const { result } = await other.must("reservations.list");

    expect(result.items.map(({ account, purpose }: Reservation) => [account, purpose])).toEqual([
      [null, null],
      [OTHER, "secret"],
    ]);
    expect((await other.ask("reservations.cancel", { id: theirs.id })).error!.data.code).toBe("NOT_YOURS");
    expect((await other.ask("reservations.create", { ...wish, account: "uid:0" })).error!.data.code).toBe(
      "NOT_ALLOWED",
    );
    expect((await operator.must("reservations.cancel", { id: mine.id })).result.state).toBe("cancelled");
    await operator.stop();
    await other.stop();
    await agent.stop();
    rmSync(folder, { recursive: true, force: true });
  });
});

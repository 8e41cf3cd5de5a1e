import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, memoryOf, openFileNames, PROMPT_MS, startAgent, until } from "./harness.ts";
import { Peer } from "./peer.ts";
import { RawClient } from "./raw-client.ts";
import { type Watch, watchAgent } from "./trace.ts";

const MIB = 2 ** 20;

let agent: AgentProcess;
let watch: Watch;

beforeAll(async () => {
  agent = await startAgent();
  watch = await watchAgent(agent);
});

afterAll(() => agent?.stop());

const peers: Peer[] = [];
const clients: RawClient[] = [];

function newPeer(): Peer {
  const peer = new Peer();
  peers.push(peer);
  return peer;
}

function newClient(options?: { reads?: boolean }): RawClient {
  const client = new RawClient(agent.socket, options);
  clients.push(client);
  return client;
}

afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  for (const peer of peers.splice(0)) await peer.stop();
  const operator = agent.raw();
  await endTheRest(operator); // a test that failed must not fail the next
  operator.close();
  await watch.expectNoTrace();
});

/** As many requests as the socket takes before it is full; gives how many. */
function fill(client: RawClient, count: number, method: string, params: object = {}): void {
  for (let i = 0; i < count; i++) client.begin(method, params);
}

/** Every delegation but the bystander's. */
async function endTheRest(client: RawClient): Promise<void> {
  for (;;) {
    const { result } = await client.ask("delegations.list", { limit: 32 });
    const ids = result.items.map(({ id }: { id: number }) => id).filter((id: number) => id !== watch.bystander.id);
    if (ids.length === 0) return;
    expect(await client.ask("delegations.revoke", { ids })).toHaveProperty("result");
  }
}

describe("a client that never reads", () => {
  it("costs the agent little memory, and holds nobody else up", async () => {
    const silent = newClient({ reads: false });
    const before = memoryOf(agent.pid);
    fill(silent, 20_000, "buffers.list");

    for (let i = 0; i < 20; i++) expect(await watch.bystander.check()).toBeLessThan(PROMPT_MS);

    expect(memoryOf(agent.pid) - before).toBeLessThan(64 * MIB);
    silent.close();
  });

  it("keeps its delegation, and loses it with its connection", async () => {
    const silent = newClient({ reads: false });
    silent.begin("delegations.borrow", { buffer: "sim0/ch0" });
    fill(silent, 5000, "status.get");
    const client = newClient();
    const states = async () => (await client.ask("buffers.get", { name: "sim0/ch0" })).result.state;
    await until(async () => (await states()) === "lent", "it has the buffer");

    silent.close();

    await until(async () => (await states()) === "free", "the buffer is free again");
  });

  it("with as many subscriptions as it may have gets states that collapse, not a queue of them", async () => {
    const silent = newClient({ reads: false });
    const client = newClient();
    const before = memoryOf(agent.pid);
    fill(silent, 300, "delegations.watch");
    fill(silent, 300, "status.watch");

    for (let i = 0; i < 200; i++) {
      const { result } = await client.ask("delegations.request", { buffer: "sim0/ch0", purpose: "x".repeat(200) });
      await client.ask("delegations.release", { id: result.id });
    }

    expect(memoryOf(agent.pid) - before).toBeLessThan(64 * MIB);
    silent.close();
  });
});

describe("a client that has as many subscriptions as it may have, and reads no more", () => {
  it("costs a state or two, not one of each; when it reads again, each tells how things are now", async () => {
    const client = newClient();
    const peer = newPeer();
    await peer.connect(agent.socket);
    const request = { buffer: "sim0/regs", access: "read-only", purpose: "x".repeat(200) };
    for (let i = 0; i < 100; i++) await client.ask("delegations.request", request); // a state of 60 kB
    for (let id = 1; id <= 256; id++)
      void peer.send({ text: JSON.stringify({ jsonrpc: "2.0", id, method: "delegations.watch" }) });
    await peer.drain({ subscriptions: 256 });
    const before = memoryOf(agent.pid);

    for (let i = 0; i < 10; i++) {
      await client.ask("delegations.request", request);
      await new Promise((resolve) => setTimeout(resolve, 25)); // longer than states collapse
    }
    await watch.bystander.check();
    const grown = memoryOf(agent.pid) - before;
    const { total } = (await client.ask("delegations.list", { limit: 1 })).result;
    const { totals } = await peer.drain({ subscriptions: 256, total });

    expect(grown).toBeLessThan(8 * MIB); // all 256 states: 15 MiB
    expect(totals).toEqual(Array.from({ length: 256 }, () => total));
  });
});

describe("a client that stops in the middle", () => {
  it("is revoked like any other, and finds the answers when it goes on", async () => {
    const peer = newPeer();
    await peer.connect(agent.socket);
    const { result } = await peer.ask("delegations.borrow", { buffer: "sim0/ch0" });
    peer.kill("SIGSTOP");
    const client = newClient();

    const revoked = await client.ask("delegations.revoke", { ids: [result.delegation.id] });
    peer.kill("SIGCONT");
    const seen = await peer.ask("delegations.get", { id: result.delegation.id });

    expect(revoked.result[0]).toMatchObject({ state: "revoked", reason: "operator" });
    expect(seen.result).toEqual(revoked.result[0]);
  });

  it("loses what it has at its death", async () => {
    const peer = newPeer();
    await peer.connect(agent.socket);
    const { result } = await peer.ask("delegations.borrow", { buffer: "sim0/ch0" });
    const client = newClient();
    const { result: subscription } = await client.ask("delegations.follow", { id: result.delegation.id });

    peer.kill("SIGKILL");
    let state: string | undefined;
    let reason: string | undefined;
    while (state !== "revoked") {
      const { params } = (await client.packet()).json;
      expect(params.subscription).toBe(subscription.subscription);
      ({ state, reason } = params.data);
    }

    expect(reason).toBe("disconnected");
  });
});

describe("connections", () => {
  it("ten thousand, one after the other, leave nothing behind", async () => {
    const peer = newPeer();
    const client = newClient(); // before: where the storm fills the backlog, a connect is answered EAGAIN

    expect(await peer.storm(agent.socket, 10_000)).toEqual({ connected: 10_000 });

    await until(async () => (await client.ask("status.get")).result.counts.clients <= 3, "all are gone");
  });

  it("beyond 256 of one uid are told so and closed; the others go on", async () => {
    const all = Array.from({ length: 300 }, () => newClient());
    const last = await all.at(-1)!.next();

    expect(last).toMatchObject({ json: { id: null, error: { data: { code: "LIMIT" } } } });
    expect("json" in last && last.json.error.message).toBe(
      "uid 0 has 256 connections, the most that one uid may have. Close some.".replace(
        "uid 0",
        `uid ${process.getuid!()}`,
      ),
    );
    expect(await all.at(-1)!.next()).toMatchObject({ closed: true });
    expect(await all[0]!.ask("status.get")).toMatchObject({ result: { counts: { clients: 256 } } });
    for (const client of all) client.close();
    const again = newClient();
    await until(async () => "result" in (await again.ask("status.get")), "there is room again");
  });
});

describe("requests under way", () => {
  it("beyond 256 are refused with LIMIT, and a cancelled one makes room", async () => {
    const client = newClient();
    for (let i = 0; i < 256; i++) client.begin("delegations.borrow", { buffer: "sim0/ddr", wait: true });

    const refused = await client.ask("status.get");
    await client.ask("cancel", { id: 1 });
    const cancelled = (await client.packet()).json;
    const taken = await client.ask("status.get");

    expect(refused.error).toMatchObject({ data: { code: "LIMIT" } });
    expect(refused.error.message).toMatch(
      /^256 requests of this connection are under way.*Wait for answers, or cancel/,
    );
    expect(cancelled).toMatchObject({ id: 1, error: { data: { code: "CANCELLED" } } });
    expect(taken.result.counts.waiting).toBe(255);
    client.close();
    const after = newClient();
    await until(async () => (await after.ask("status.get")).result.counts.waiting === 0, "nobody waits any more");
  });

  it("300 subscriptions: 256 get states, 44 a refusal, and all end with the connection", async () => {
    const client = newClient();
    const answers = new Map<number, string>();
    for (let i = 0; i < 300; i++) client.begin("status.watch");

    while (answers.size < 300) {
      const { json } = await client.packet();
      if (json.id) answers.set(json.id, json.error?.data.code ?? "result");
    }

    const codes = [...answers.values()];
    expect(codes.filter((code) => code === "result")).toHaveLength(256);
    expect(codes.filter((code) => code === "LIMIT")).toHaveLength(44);
  });

  it("a subscription that is cancelled says that it is done, and its id can be used again", async () => {
    const client = newClient();
    const { result } = await client.ask("delegations.watch");
    await client.packet();
    client.send({ jsonrpc: "2.0", id: "c", method: "cancel", params: { id: result.subscription } });

    expect((await client.packet()).json).toEqual({ jsonrpc: "2.0", id: "c", result: {} });
    expect((await client.packet()).json).toMatchObject({ params: { subscription: result.subscription, done: true } });
    client.send({ jsonrpc: "2.0", id: result.subscription, method: "status.get" });
    expect((await client.packet()).json).toHaveProperty("result");
  });
});

describe("queue entries and delegations", () => {
  it("beyond 256 places in line are refused, and so is the 1025th delegation", async () => {
    const client = newClient();
    let refusal: { data: { code: string }; message: string } | undefined;
    let waiting = 0;
    while (!refusal) {
      const answer = await client.ask("delegations.request", { buffer: "sim0/ddr", wait: true });
      refusal = answer.error;
      if (!refusal) waiting++;
    }

    expect(waiting).toBe(256);
    expect(refusal.data.code).toBe("LIMIT");
    expect(refusal.message).toMatch(/waits in 256 places already.*Withdraw some/);

    const live = 1 + waiting;
    let last: { error?: { data: { code: string }; message: string } } = {};
    for (let i = live; i < 1025; i++)
      last = await client.ask("delegations.request", { buffer: "sim0/regs", access: "read-only" });

    expect(last.error?.data.code).toBe("LIMIT");
    expect(last.error?.message).toMatch(/has 1024 live delegations.*Release some/);
  });
});

describe("claims whose descriptors nobody reads", () => {
  it("are refused with UNREAD_CLAIM after a second, one at a time, and what was refused is ended", async () => {
    const client = newClient({ reads: false });
    for (const channel of [0, 1, 2]) client.begin("delegations.borrow", { buffer: `sim0/ch${channel}` });
    const observer = newClient();
    const stateOf = async (name: string) => (await observer.ask("buffers.get", { name })).result.state;
    await until(async () => (await stateOf("sim0/ch1")) === "lent", "the second was lent");
    await until(async () => (await stateOf("sim0/ch1")) === "free", "the second was taken back");
    await until(async () => (await stateOf("sim0/ch2")) === "free", "the third was taken back");

    client.read();
    const answers = [await client.packet(), await client.packet(), await client.packet()];
    const again = await client.ask("delegations.borrow", { buffer: "sim0/ch1" });

    const inOrder = answers.sort((a, b) => a.json.id - b.json.id);
    expect(inOrder[0]).toMatchObject({ json: { result: { fds: ["export"] } }, fds: [expect.any(Number)] });
    for (const answer of inOrder.slice(1)) {
      expect(answer).toMatchObject({ json: { error: { data: { code: "UNREAD_CLAIM" } } }, fds: [] });
      expect(answer.json.error.message).toMatch(/still unread\. Read the answer to each claim before the next/);
    }
    expect(again).toHaveProperty("result");
  });

  it("one that is revoked before it could be sent brings no descriptor, least of all somebody else's", async () => {
    const client = newClient({ reads: false });
    const operator = newClient();
    const other = newClient();
    const exportsHere = () => openFileNames(agent.pid).filter((name) => name.startsWith("/memfd:")).length;
    const before = exportsHere();
    client.begin("delegations.borrow", { buffer: "sim0/ch0" });
    client.begin("delegations.borrow", { buffer: "sim0/ch1" });
    await until(() => exportsHere() === before + 2, "both are exported; the second waits to be sent");
    const { result: buffer } = await operator.ask("buffers.get", { name: "sim0/ch1" });

    await operator.ask("delegations.revoke", { ids: [buffer.current[0].id] });
    await other.ask("delegations.borrow", { buffer: "sim0/ch2" }); // gets the number of the fd that was closed
    client.read();
    const answers = [await client.packet(), await client.packet()];

    expect(answers[0]).toMatchObject({ json: { id: 1, result: { fds: ["export"] } }, fds: [expect.any(Number)] });
    expect(answers[1]).toMatchObject({ json: { id: 2, error: { data: { code: "ENDED" } } }, fds: [] });
  });
});

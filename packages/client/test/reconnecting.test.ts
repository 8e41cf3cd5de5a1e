// Real agents that come and go.
import { renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder } from "../../../apps/agent/test/harness.ts";
import { connect } from "../src/connect.ts";
import { ConnectionLost, Revoked } from "../src/errors.ts";
import { ReconnectingAgent, type ReconnectingEvents } from "../src/reconnecting.ts";
import { AgentStub } from "./agent-stub.ts";

const BUFFER = "sim0/ddr";

let folder: string;
let process: AgentProcess;
let agent: ReconnectingAgent;
const place = () => ({ state: join(folder, "state"), socket: join(folder, "agent.sock") });

beforeEach(async () => {
  folder = temporaryFolder();
  process = await startAgent(place());
  agent = await ReconnectingAgent.connect(() => connect({ path: place().socket }));
});

afterEach(async () => {
  agent.close();
  await process.stop();
  rmSync(folder, { recursive: true });
});

async function restart(): Promise<void> {
  await process.crash();
  process = await startAgent(place());
}

function nextOf<E extends keyof ReconnectingEvents>(event: E): Promise<ReconnectingEvents[E]> {
  return new Promise((resolve) => agent.once(event, (...args) => resolve(args)));
}

it("tells that the agent went and that another has come, and asks that one", async () => {
  const lost = nextOf("lost");
  const back = nextOf("back");
  const before = process.pid;

  await restart();

  expect((await lost)[0]).toBeInstanceOf(ConnectionLost);
  expect((await back)[0].pid).toBe(process.pid);
  expect(process.pid).not.toBe(before);
  expect(await agent.call("buffers.get", { name: BUFFER })).toMatchObject({ name: BUFFER });
});

it("never brings a lease back: it is lost with its connection, and another is borrowed", async () => {
  const lease = await agent.borrow(BUFFER, { keep: true });
  const told = new Promise((resolve) => lease.once("lost", (_last, cause) => resolve(cause)));
  lease.store32(0, 7);
  const back = nextOf("back");

  await restart();
  await back;

  expect(await told).toBeInstanceOf(ConnectionLost);
  expect(() => lease.load32(0)).toThrow(Revoked);
  for (const ask of [() => lease.now(), () => lease.extend("1m"), () => lease.release()])
    await expect(ask()).rejects.toBeInstanceOf(ConnectionLost);
  const next = await agent.borrow(BUFFER);
  expect(next.delegation.id).not.toBe(lease.delegation.id);
  next.store32(0, 8);
  expect(next.load32(0)).toBe(8);
});

it("asks again what only asks, and does nothing twice", async () => {
  process.kill("SIGSTOP"); // so that both are on their way when it ends
  const asked = agent.call("buffers.get", { name: BUFFER });
  const changed = agent.call("buffers.define", {
    name: "twice",
    device: "sim0",
    region: 2,
    ranges: [{ offset: 0, length: 4096 }],
  });
  const borrowed = agent.borrow(BUFFER);
  const failures = Promise.all([changed, borrowed].map((call) => call.catch((error: unknown) => error)));
  await setImmediate();

  await restart();

  expect(await asked).toMatchObject({ name: BUFFER });
  for (const failure of await failures) expect(failure).toBeInstanceOf(ConnectionLost);
  await expect(agent.call("buffers.get", { name: "twice" })).rejects.toMatchObject({ code: "NOT_FOUND" });
});

it("goes on with a subscription: the state as it is now, each entry of the audit once", async () => {
  const states = agent.subscribe("delegations.watch");
  const entries = agent.subscribe("audit.watch", { after: 0 });
  const seen: number[] = [];
  const readTo = async (seq: number) => {
    while (seen.at(-1) !== seq) seen.push((await entries.next()).value.seq);
  };
  const headOf = async () => (await agent.call("audit.list", { limit: 1 })).items[0]!.seq;
  await states.next();
  const { delegation } = await agent.borrow(BUFFER);
  await readTo(await headOf());

  await restart();
  await agent.borrow(BUFFER, { wait: true });
  const head = await headOf();
  await readTo(head);

  expect(seen).toEqual(Array.from({ length: head }, (_, index) => index + 1));
  for await (const { items } of states)
    if (items.some(({ id, state }) => id > delegation.id && state === "active")) break;
});

it("waits for an agent that is away, until its signal or close() ends that", async () => {
  await process.crash();
  const stop = new AbortController();
  const stopped = agent.call("status.get", undefined, { signal: stop.signal });
  const waiting = [agent.call("status.get"), agent.borrow(BUFFER), agent.subscribe("status.watch").next()];
  const failures = Promise.all(waiting.map((call) => call.catch((error: unknown) => error)));

  stop.abort(new Error("enough"));
  await expect(stopped).rejects.toThrow("enough");
  agent.close();

  for (const failure of await failures) expect(failure).toBeInstanceOf(ConnectionLost);
  expect(await agent.closed).toBeUndefined();
  await expect(agent.call("status.get")).rejects.toBeInstanceOf(ConnectionLost);
});

it("gives up, and says why, where it can connect no more", async () => {
  const away = `${folder}-away`;

  await process.crash();
  renameSync(folder, away);
  writeFileSync(folder, "");
  const failure = await agent.closed;
  rmSync(folder);
  renameSync(away, folder);

  expect(failure).toMatchObject({ name: "NoAgent", code: "ENOTDIR" });
  await expect(agent.call("status.get")).rejects.toBe(failure);
});

it("lets an agent rest that takes it and turns it away at once", async () => {
  using stub = new AgentStub();
  let tries = 0;
  using turned = await ReconnectingAgent.connect(() => {
    tries++;
    return stub.connect();
  });
  stub.turnsAway = true;
  stub.hangUp();

  await expect(turned.call("status.get", undefined, { signal: AbortSignal.timeout(1000) })).rejects.toThrow();

  expect(tries).toBeLessThanOrEqual(5); // after 100, 200, 400 and 800 ms
});

it("says at first that no agent is there", async () => {
  const nowhere = () => connect({ path: join(folder, "nobody.sock") });

  await expect(ReconnectingAgent.connect(nowhere)).rejects.toMatchObject({ name: "NoAgent", code: "ENOENT" });
});

// System memory, which nothing takes back by force: through the built agent, as an ordinary user.
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import type { Delegation } from "@lendbuf/shared/delegation";
import { GuestAgent } from "../guest/agent.ts";

const BUFFER = "ram0/all";
const MEMORY = ["--simulated", "off", "--devices", "none", "--system-memory", "1MiB"];
const ALLOWED = [...MEMORY, "--allow-irrevocable", "ram0"];
const WAIT_MS = 20_000;
const HELD = /\d+ references? to it remains?: nothing takes it back by force; it ends when its holders let go/;

async function stateOf(client: Connection, id: number, wanted: (it: Delegation) => boolean): Promise<Delegation> {
  const signal = AbortSignal.timeout(WAIT_MS); // a case that hangs would keep all others from being told
  for await (const delegation of client.subscribe("delegations.follow", { id }, { signal }))
    if (wanted(delegation)) return delegation;
  throw new Error(`delegation ${id} is followed no more`);
}

const isRevoked = ({ state }: Delegation) => state === "revoked";

/** Hands the lease's descriptor on to a process that keeps it, and keeps none here. */
function passOn(lease: Lease): ChildProcess {
  const holder = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], {
    stdio: ["ignore", "ignore", "ignore", lease.fd],
  });
  lease.close();
  return holder;
}

async function end(holder: ChildProcess): Promise<void> {
  holder.kill("SIGKILL");
  await once(holder, "exit");
}

/** For the cases that leave it as they found it. */
let shared: GuestAgent;

before(async () => {
  shared = await GuestAgent.start(ALLOWED);
});

after(() => shared[Symbol.asyncDispose]());

test("what nothing takes back is refused where the agent was not told to allow it, and what to do is said", async () => {
  await using agent = await GuestAgent.start([...MEMORY, "--allow-irrevocable", "ram0/other"]);
  const client = await agent.connect();
  const refusal = { code: "NOT_ALLOWED", message: /nothing takes that back by force.*--allow-irrevocable ram0\/all/ };

  await assert.rejects(client.borrow({ buffer: BUFFER }), refusal);
  await assert.rejects(client.borrow({ buffer: BUFFER, exporter: "dma-heap", access: "read-only" }), refusal);
  await assert.rejects(client.call("delegations.request", { buffer: BUFFER, wait: true }), refusal);

  assert.equal((await client.call("delegations.list", { all: true })).total, 0);
});

test("an offer that an agent made is not claimed from the next one, which does not allow it", async () => {
  const agent = await GuestAgent.start(ALLOWED);
  const { id } = await (await agent.connect()).call("delegations.request", { buffer: BUFFER, offerMs: 600_000 });
  await agent[Symbol.asyncDispose]();

  await using next = await agent.restart(MEMORY);
  const client = await next.connect();

  await assert.rejects(client.claim(id), { code: "NOT_ALLOWED" });
  assert.equal((await client.call("delegations.get", { id })).state, "offered");
});

for (const exporter of ["udmabuf", "dma-heap"] as const)
  test(`${exporter}: a revoke takes nothing, says who is waited for, and the end comes when the last one lets go`, async () => {
    const [client, operator] = [await shared.connect(), await shared.connect()];
    const lease = await client.borrow({ buffer: BUFFER, exporter });
    const memory = lease.map();
    memory.store(4096, 32, 0x5eed);
    const { id } = lease.delegation;

    const askedAt = performance.now();
    const [asked] = await operator.call("delegations.revoke", { ids: [id] });
    const tookMs = performance.now() - askedAt;
    const { holders } = await operator.call("delegations.holders", { id });

    assert.deepEqual([asked?.state, asked?.revocation?.lastErrno], ["revoking", "EBUSY"]);
    assert.match(asked!.revocation!.waitingFor!, HELD);
    assert.ok(tookMs < 2000, `the revoke was answered after ${tookMs} ms`);
    assert.equal(memory.load(4096, 32), 0x5eed);
    assert.deepEqual(holders.find(({ pid }) => pid === process.pid)?.mappingCount, 1);
    assert.equal(
      holders.some(({ role }) => role === "agent"),
      false,
    );
    lease.close();
    const ended = await stateOf(operator, id, isRevoked);
    const { method, scope, by, answer, probe } = ended.proof!;
    assert.deepEqual(
      { method, scope, by, answer, probe },
      { method: "last-reference", scope: "none", by: "warden", answer: "0", probe: "nobody else refers to it" },
    );
  });

test("who gives it back has given it back at once", async () => {
  const client = await shared.connect();
  const lease = await client.borrow({ buffer: BUFFER });
  lease.map().store(0, 32, 1);

  const ended = await lease.release();

  assert.deepEqual([ended.state, ended.proof?.method], ["revoked", "last-reference"]);
  await using next = await client.borrow({ buffer: BUFFER });
  assert.equal(next.map().load(0, 32), 0);
});

test("a process to which it was passed on keeps it, and its exit is the end", async () => {
  const [client, operator] = [await shared.connect(), await shared.connect()];
  const lease = await client.borrow({ buffer: BUFFER });
  const { id } = lease.delegation;
  const holder = passOn(lease);
  client.close();

  const waiting = await stateOf(operator, id, ({ revocation }) => HELD.test(revocation?.waitingFor ?? ""));
  await end(holder);
  const ended = await stateOf(operator, id, isRevoked);

  assert.deepEqual([waiting.state, waiting.reason, ended.reason], ["revoking", "disconnected", "disconnected"]);
});

test("a kept one is lent again, as fresh memory, once nobody has what was lent before", async () => {
  const [first, second] = [await shared.connect(), await shared.connect()];
  const lease = await first.borrow({ buffer: BUFFER, keep: true });
  lease.map().store(0, 32, 7);
  const { id } = lease.delegation;
  const holder = passOn(lease);
  first.close();
  await stateOf(second, id, ({ client }) => client === null);

  await assert.rejects(second.claim(id), { code: "NOT_READY" });
  await end(holder);
  await using again = await second.claim(id);

  assert.deepEqual([again.delegation.state, again.map().load(0, 32)], ["active", 0]);
});

test("an agent ends promptly though somebody has it, and the next one does not call it revoked", async () => {
  const agent = await GuestAgent.start(ALLOWED);
  const lease = await (await agent.connect()).borrow({ buffer: BUFFER });
  const { id } = lease.delegation;
  const holder = passOn(lease);

  const endsAt = performance.now();
  await agent[Symbol.asyncDispose]();
  const tookMs = performance.now() - endsAt;
  await using next = await agent.restart();
  const left = await (await next.connect()).call("delegations.get", { id });

  assert.ok(tookMs < 3000, `it took ${tookMs} ms`);
  assert.deepEqual([left.state, left.revocation?.unproven, left.revocation?.lastErrno], ["revoking", true, "EBUSY"]);
  assert.match(left.revocation!.waitingFor!, /others had it still.*only a restart of the machine/);
  await end(holder);
});

test("of what nobody has any more but an agent that is killed, the next one has the proof", async () => {
  const agent = await GuestAgent.start(ALLOWED);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BUFFER, keep: true });
  const { id } = lease.delegation;
  lease.close();
  client.close();
  await stateOf(operator, id, (it) => it.client === null);

  await agent.kill();
  await using next = await agent.restart();
  const ended = await stateOf(await next.connect(), id, isRevoked);

  const { method, scope, by } = ended.proof!;
  assert.deepEqual({ method, scope, by }, { method: "last-reference", scope: "none", by: "last-word" });
});

test("where its warden is killed the agent's own copy tells when it has ended", async () => {
  await using agent = await GuestAgent.start(ALLOWED);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BUFFER });
  const { id } = lease.delegation;
  const holder = passOn(lease);
  const [device] = await operator.call("devices.list", {});

  process.kill(device!.warden!.pid, "SIGKILL");
  const waiting = await stateOf(operator, id, ({ revocation }) => HELD.test(revocation?.waitingFor ?? ""));
  await end(holder);
  const ended = await stateOf(operator, id, isRevoked);

  assert.deepEqual([waiting.reason, waiting.revocation?.unproven], ["device-lost", false]);
  assert.deepEqual([ended.proof?.method, ended.proof?.by], ["last-reference", "agent"]);
});

test("where its warden is killed after the end was decided nobody can tell, and that is said", async () => {
  await using agent = await GuestAgent.start(ALLOWED);
  const [client, operator] = [await agent.connect(), await agent.connect()];
  const lease = await client.borrow({ buffer: BUFFER });
  const { id } = lease.delegation;
  const holder = passOn(lease);
  const [device] = await operator.call("devices.list", {});
  await operator.call("delegations.revoke", { ids: [id] });

  process.kill(device!.warden!.pid, "SIGKILL");
  const doubtful = await stateOf(operator, id, ({ revocation }) => revocation?.unproven ?? false);
  await end(holder);

  assert.equal(doubtful.state, "revoking");
  assert.match(doubtful.revocation!.waitingFor!, /its warden has died/);
  assert.equal((await operator.call("delegations.get", { id })).state, "revoking");
});

test("nobody looks into memory that is its borrower's alone", async () => {
  const operator = await shared.connect();

  await assert.rejects(operator.call("buffers.read", { name: BUFFER }), { code: "UNSUPPORTED" });
  await assert.rejects(operator.call("buffers.peek", { name: BUFFER, offset: 0 }), {
    code: "UNSUPPORTED",
    message: /fresh pages/,
  });
});

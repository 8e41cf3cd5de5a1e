// Agent gone means access gone, within milliseconds, whatever the holder did with the fd; and the books say so afterwards, with proof.
// All of it as an ordinary user: nothing here takes more rights than any program has.
import type { AuditVerdict } from "@lendbuf/shared/audit";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterEach, describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { type AgentProcess, isRunning, ordinaryUser, startAgent, until } from "./harness.ts";
import type { Readers } from "./readers.ts";

const ORDINARY = ordinaryUser();
const SIZE = 8 << 20;
const BUFFER = "sim0/ddr";

const opened: { stop(): Promise<unknown> }[] = [];

afterEach(async () => {
  for (const one of opened.splice(0).reverse()) await one.stop();
});

async function newAgent(before?: AgentProcess): Promise<AgentProcess> {
  const { state, socket } = before ?? {};
  const agent = await startAgent({ ...ORDINARY, ...(before && { state: state!, socket: socket! }) });
  opened.push(agent);
  return agent;
}

async function newClient(agent: AgentProcess): Promise<ClientProcess> {
  const client = await startClient(agent.socket, ORDINARY);
  opened.push(client);
  return client;
}

/** SIGKILL; the milliseconds until the last read that succeeded began, less those for which this machine had no processor to spare. */
async function killAndMeasure(agent: AgentProcess, readers: Readers): Promise<number> {
  const stopWatching = watchLag();
  const killedNs = process.hrtime.bigint();
  await agent.crash();
  await readers.refused(20);
  return Number(readers.lastReadNs() - killedNs) / 1e6 - stopWatching();
}

/** Gives the time for which a timer of this process had to wait for its turn, in all: an end takes several turns of several processes. */
function watchLag(everyMs = 5): () => number {
  let last = performance.now();
  let waitedMs = 0;
  const timer = setInterval(() => {
    const now = performance.now();
    waitedMs += Math.max(0, now - last - everyMs);
    last = now;
  }, everyMs);
  return () => {
    clearInterval(timer);
    return waitedMs;
  };
}

/** What a new agent on the same state says of a delegation, once it has heard the last word. */
async function booksAfterRestart(
  agent: AgentProcess,
  id: number,
): Promise<{ record: Delegation; audit: AuditVerdict }> {
  const client = await newClient(await newAgent(agent));
  const { delegation: record } = await client.followToEnd(id);
  return { record, audit: (await client.must("audit.verify")).result };
}

const ENDED_BY_CRASH = {
  state: "revoked",
  reason: "agent-restart",
  proof: { by: "last-word", method: "ftruncate", scope: "buffer" },
  unrecorded: false,
};

describe.each([
  ["delegations.borrow", async () => ({ buffer: BUFFER })],
  [
    "delegations.claim",
    async (client: ClientProcess) => ({
      id: (await client.must("delegations.request", { buffer: BUFFER })).result.id,
    }),
  ],
] as const)("the fd is in flight, as the client has not read the answer to %s", (method, inputFor) => {
  it("and brings nothing when it is read after the agent's death", async () => {
    const agent = await newAgent();
    const client = await newClient(agent);
    await client.begin(method, await inputFor(client));
    await client.arrived();
    const warden = agent.wardens[0]!;

    await agent.crash();
    await until(() => !isRunning(warden), "the warden has ended");
    const { result, fd } = await client.receive();

    expect(await client.inspect(fd)).toBe("size 0, read 0, mapping EFAULT");
    const { record, audit } = await booksAfterRestart(agent, result.delegation.id);
    expect(record).toMatchObject(ENDED_BY_CRASH);
    expect(audit).toMatchObject({ ok: true });
  });
});

describe.each([
  ["has the fd, a mapping, a child with the mapping, and passed the fd on", {}],
  ["cannot be inspected (PR_SET_DUMPABLE 0)", { undumpable: true }],
  ["has nothing left but its mapping", { mappingOnly: true }],
])("the holder %s", (_what, how) => {
  it.each(["read-write", "read-only"] as const)(
    "and reads no more 100 ms after the agent's death (%s)",
    async (access) => {
      const agent = await newAgent();
      const client = await newClient(agent);
      const { delegation, fd } = await client.borrow({ buffer: BUFFER, access });
      const writes = access === "read-write";
      const readers = await client.lend(fd, { size: SIZE, mode: "guarded", writes, paced: true, ...how });
      await client.tell(`close ${fd}`);
      expect(await readers.canRead()).toBe(true);

      const lastMs = await killAndMeasure(agent, readers);

      expect(lastMs).toBeLessThan(100);
      const { record, audit } = await booksAfterRestart(agent, delegation.id);
      expect(record).toMatchObject(ENDED_BY_CRASH);
      expect(audit).toMatchObject({ ok: true });
    },
  );
});

it("keeps the reason that had been decided before the agent was killed", async () => {
  const agent = await newAgent();
  const client = await newClient(agent);
  const watcher = await newClient(agent);
  const { delegation, fd } = await client.borrow({ buffer: BUFFER });
  const readers = await client.lend(fd, { size: SIZE, mode: "guarded", paced: true });
  const warden = agent.wardens[0]!;
  process.kill(warden, "SIGSTOP");
  await client.begin("delegations.release", { id: delegation.id });
  await until(async () => {
    const { result } = await watcher.must("audit.list", { delegation: delegation.id });
    return result.items[0].action === "delegation.ending";
  }, "the decision is on disk");

  await agent.crash();
  expect(await readers.canRead()).toBe(true); // nobody has taken it yet, and so nobody may say so
  const second = await newAgent(agent);
  const asker = await newClient(second);
  const meanwhile = (await asker.must("delegations.get", { id: delegation.id })).result;
  process.kill(warden, "SIGCONT");
  const { delegation: record } = await asker.followToEnd(delegation.id);
  await readers.refused(20);

  expect(meanwhile).toMatchObject({ state: "revoking", reason: "released", proof: null });
  expect(meanwhile.revocation.waitingFor).toContain("still revokes");
  expect(record).toMatchObject({ ...ENDED_BY_CRASH, reason: "released" });
  expect((await asker.must("audit.verify")).result).toMatchObject({ ok: true });
});

it("cuts a thousand delegations within a second of the agent's death", async () => {
  const count = 1000;
  const agent = await newAgent();
  const client = await newClient(agent);
  await client.must("buffers.define", {
    name: "page",
    device: "sim0",
    region: 2,
    ranges: [{ offset: 4 << 20, length: 4096 }],
  });
  const request = client.packet("delegations.borrow", { buffer: "page", access: "read-only" });
  expect(await client.tell(`many ${count} ${request}`)).toBe("borrowed");
  expect(await client.tell("read all")).toBe("reading");

  const killedNs = process.hrtime.bigint();
  await agent.crash();
  const slot = () => client.board.slot(0);
  await until(() => slot().faults > 20 * count, "each of them is refused many times");
  const lastMs = Number(slot().lastReadNs - killedNs) / 1e6;

  console.log(`${count} live delegations: the last read that succeeded began ${lastMs.toFixed(1)} ms after SIGKILL`);
  expect(lastMs).toBeLessThan(1000);
  const second = await newClient(await newAgent(agent));
  const ended = async () => (await second.must("status.get")).result.counts.revoking === 0;
  await until(ended, "all of them are in the books as revoked");
  const { result } = await second.must("delegations.list", { all: true, states: ["revoked"], limit: 1 });
  expect(result.total).toBe(count);
  expect(result.items[0]).toMatchObject(ENDED_BY_CRASH);
  expect((await second.must("audit.verify")).result).toMatchObject({ ok: true });
});

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { dirname } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import type { Holders } from "@lendbuf/shared/holder";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AgentProcess, PROMPT_MS, startAgent } from "./harness.ts";
import { spawnHolder } from "./holder.ts";
import { Peer } from "./peer.ts";

const PASSING = fileURLToPath(new URL("passing.py", import.meta.url));
const isRoot = process.getuid!() === 0;
const SOMEBODY = 1000;

/** passing.py with the memory; the pids that it tells. */
async function passOn(fd: number, how: string): Promise<{ pids: number[]; stop(): Promise<void> }> {
  const child: ChildProcess = spawn("python3", [PASSING, how], { stdio: ["pipe", "pipe", "inherit", fd] });
  const [line] = await once(createInterface({ input: child.stdout! }), "line");
  return {
    pids: String(line).split(" ").map(Number),
    async stop() {
      child.stdin!.end();
      await once(child, "close"); // also its children's end: they have its stdout
    },
  };
}

const others = ({ holders }: Holders) => holders.filter(({ role, pid }) => role === null && pid !== process.pid);

describe("who holds a delegation", () => {
  let agent: AgentProcess;
  let connection: Connection;
  let lease: Lease;

  beforeAll(async () => {
    agent = await startAgent();
    connection = await agent.connect();
  });
  afterAll(() => agent?.stop());
  beforeEach(async () => {
    lease = await connection.borrow({ buffer: "sim0/ch0" });
  });
  afterEach(() => lease.release());

  const look = () => connection.call("delegations.holders", { id: lease.delegation.id });

  it("the client that borrowed it, the agent and the device's warden", async () => {
    const { holders, exported, total } = await look();

    expect(holders).toMatchObject([
      { pid: process.pid, uid: process.getuid!(), role: null, fds: [lease.fd], fdCount: 1, mappingCount: 0 },
      ...[
        { pid: agent.pid, role: "agent", fdCount: 1 },
        { pid: agent.wardens[0], role: "warden", command: "lendbuf-warden", fdCount: 1, mappingCount: 1 },
      ].sort((one, other) => one.pid! - other.pid!),
    ]);
    expect([exported, total]).toEqual([true, 3]);
  });

  it("another program that was started with it and has mapped it", async () => {
    const holder = await spawnHolder(lease.fd, { size: 4096 });

    const seen = others(await look());
    await holder.stop();
    const afterwards = others(await look());

    expect(seen).toMatchObject([{ pid: holder.pid, command: "holder", fds: [3], fdCount: 1, mappingCount: 1 }]);
    expect(afterwards).toEqual([]);
  });

  it("a process that has a mapping and no descriptor, and the child that inherited it", async () => {
    const { pids, stop } = await passOn(lease.fd, "fork");

    const seen = others(await look());
    await stop();

    expect(seen.map(({ pid }) => pid).sort()).toEqual([...pids].sort());
    for (const { fds, fdCount, mappingCount } of seen) expect([fds, fdCount, mappingCount]).toEqual([[], 0, 1]);
  });

  it("a process to which it was passed on, and not the one that passed it", async () => {
    const { pids, stop } = await passOn(lease.fd, "passed");

    const seen = others(await look());
    await stop();

    expect(seen).toMatchObject([{ pid: pids[1], fdCount: 1, mappingCount: 0 }]);
  });

  it("nobody, while a descriptor is in flight: what is seen is no proof", async () => {
    const { stop } = await passOn(lease.fd, "in-flight");

    const seen = others(await look());
    await stop();

    expect(seen).toEqual([]);
  });

  it("each delegation's own holders only", async () => {
    const other = await connection.borrow({ buffer: "sim0/ch1" });
    const holder = await spawnHolder(other.fd, { size: 4096 });

    const [ours, theirs] = await Promise.all([
      look(),
      connection.call("delegations.holders", { id: other.delegation.id }),
    ]);
    await holder.stop();
    await other.release();

    expect(others(ours)).toEqual([]);
    expect(others(theirs).map(({ pid }) => pid)).toEqual([holder.pid]);
  });

  it("asked for while a look is under way: sees what came after that had begun", async () => {
    const first = look();
    const holder = await spawnHolder(lease.fd, { size: 4096 });
    const answers = await Promise.all(Array.from({ length: 50 }, look));
    await first;
    await holder.stop();

    for (const answer of answers) expect(others(answer).map(({ pid }) => pid)).toEqual([holder.pid]);
  });

  it("nobody where nothing is exported: before the claim, and after the end", async () => {
    const { id } = await connection.call("delegations.request", { buffer: "sim0/ch2" });

    const offered = await connection.call("delegations.holders", { id });
    await connection.call("delegations.release", { id });
    const ended = await connection.call("delegations.holders", { id });

    for (const answer of [offered, ended]) expect(answer).toMatchObject({ exported: false, holders: [], total: 0 });
  });

  it("is not there for a delegation that does not exist", async () => {
    await expect(connection.call("delegations.holders", { id: 4242 })).rejects.toMatchObject({ code: "NOT_FOUND" });
  });

  it("the agent answers others while it looks", async () => {
    const looks = Promise.all(Array.from({ length: 20 }, look));
    const start = performance.now();
    await connection.call("status.get");
    const ms = performance.now() - start;
    await looks;

    expect(ms).toBeLessThan(PROMPT_MS);
  });
});

describe("the dma-bufs of the host", () => {
  it("are listed for operators, with what could not be seen", async () => {
    await using agent = await startAgent();
    const connection = await agent.connect();

    const { items, total, next, processes, notes } = await connection.call("host.dmabufs", {});

    expect(items.length).toBeLessThanOrEqual(total);
    expect(next === null || typeof next === "number").toBe(true);
    expect(processes).toBeGreaterThan(2);
    const isReadable = items.every(({ attachments }) => attachments !== null);
    if (items.length > 0 && isReadable) return;
    expect(notes.join()).toMatch(/bufinfo (cannot be read|does not answer)|^$/);
  });

  it.runIf(isRoot)("are nobody else's business, nor are others' holders", async () => {
    await using agent = await startAgent();
    chmodSync(dirname(agent.socket), 0o755);
    chmodSync(agent.socket, 0o666);
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ch0" });
    const peer = new Peer({ uid: SOMEBODY });
    await peer.connect(agent.socket);

    const inventory = await peer.ask("host.dmabufs", {});
    const theirs = await peer.ask("delegations.holders", { id: lease.delegation.id });
    const own = await peer.ask("delegations.borrow", { buffer: "sim0/ch1" });
    const ours = await peer.ask("delegations.holders", { id: own.result.delegation.id });
    await peer.stop();

    expect(inventory.error.data.code).toBe("NOT_ALLOWED");
    expect(theirs.error.data.code).toBe("NOT_YOURS");
    expect(ours.result.holders.map(({ pid }: { pid: number }) => pid).sort()).toEqual(
      [agent.pid, ...agent.wardens].sort(),
    );
  });
});

describe.runIf(isRoot)("an agent without rights", () => {
  it("counts the processes that it may not look at, and says so in words", async () => {
    await using agent = await startAgent({ uid: SOMEBODY });
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ch0" });
    const holder = await spawnHolder(lease.fd, { size: 4096 }); // root's

    const { holders, hidden, processes, notes } = await connection.call("delegations.holders", {
      id: lease.delegation.id,
    });
    await holder.stop();

    expect(hidden).toBeGreaterThanOrEqual(2); // we and the holder
    expect(processes).toBeGreaterThan(hidden);
    expect(notes[0]).toMatch(new RegExp(`^${hidden} processes of other users could not be looked at; .* root`));
    expect(holders.map(({ pid }) => pid).sort()).toEqual([agent.pid, ...agent.wardens].sort());
  });

  it("does not count the kernel's threads among them", async () => {
    await using agent = await startAgent({ uid: SOMEBODY });
    const connection = await agent.connect();
    const { id } = await connection.call("delegations.request", { buffer: "sim0/ch0" });

    const { hidden } = await connection.call("delegations.holders", { id });

    const threads = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && isKernelThread(pid)).length;
    const all = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid)).length;
    const come = 20; // and go meanwhile
    expect(threads).toBeGreaterThan(come);
    expect(hidden).toBeLessThan(all - threads + come);
  });
});

function isKernelThread(pid: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/exe`) === "";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ENOENT" && readFileSync(`/proc/${pid}/cmdline`, "utf8") === "";
  }
}

if (!isRoot)
  it("an agent without rights counts what it may not see", ({ skip }) =>
    skip("only root can start an agent of another user: run the tests as root"));

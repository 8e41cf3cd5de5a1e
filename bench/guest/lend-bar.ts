// node lend-bar.mjs COUNT ROUNDS LEND-BAR COUNT-CALLS: in the lab machine, pages of a real BAR lent and taken back by the built agent, and by
// bare calls, in turns. Says each round as a line of JSON.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import { GuestAgent } from "../../lab/guest/agent.ts";
import { addressOf, IVSHMEM } from "../../packages/native/test/machine/devices.ts";
import type { Figures, Side } from "../lab.ts";

const WARM_UP = 2;
const PAGE = 4096;
const [count, rounds] = process.argv.slice(2, 4).map(Number) as [number, number];
const [lendBar, countCalls] = process.argv.slice(4) as [string, string];

/** Each answers the milliseconds of each page. */
interface Lender {
  /** Whose system calls count: all who take part. */
  pids: number[];
  borrowAll(): Promise<number[]>;
  revokeAll(): Promise<number[]>;
}

for (let round = 0; round < rounds; round++)
  console.log(JSON.stringify({ bare: await byBareCalls(), ours: await byAgent() } satisfies Figures));

async function byBareCalls(): Promise<Side> {
  const program = spawn(lendBar, [String(count)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: program.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("lend-bar ended");
    return String(value);
  };
  const pids = (await next()).split(" ").map(Number);
  const all = async () => {
    program.stdin.write("\n");
    const taken: number[] = [];
    while (taken.length < count) taken.push(Number(await next()) / 1e6);
    return taken;
  };
  const measured = await measure({ pids, borrowAll: all, revokeAll: all });
  program.stdin.end();
  await once(program, "close");
  return measured;
}

async function byAgent(): Promise<Side> {
  await using agent = await GuestAgent.start(["--simulated", "off", "--max-delegations", String(2 * count)]);
  const connection = await agent.connect();
  const device = addressOf(IVSHMEM);
  const buffer = `${device}/page`;
  await connection.call("buffers.define", {
    name: buffer,
    device,
    region: 2,
    ranges: [{ offset: 0x500000, length: PAGE }],
  });
  const { warden } = (await connection.call("devices.list", {})).find(({ name }) => name === device)!;
  let leases: Lease[] = [];
  return await measure({
    pids: [connection.agent.pid, warden!.pid, process.pid],
    borrowAll: async () => {
      const taken: number[] = [];
      leases = [];
      for (let i = 0; i < count; i++) taken.push(await borrowOne(connection, buffer, leases));
      return taken;
    },
    revokeAll: async () => {
      const taken: number[] = [];
      for (const lease of leases) taken.push(await revokeOne(connection, lease));
      return taken;
    },
  });
}

async function borrowOne(connection: Connection, buffer: string, leases: Lease[]): Promise<number> {
  const start = performance.now();
  const lease = await connection.borrow({ buffer, access: "read-only" });
  const taken = performance.now() - start;
  lease.map().load(0, 32); // there is a page to take away
  leases.push(lease);
  return taken;
}

async function revokeOne(connection: Connection, lease: Lease): Promise<number> {
  const start = performance.now();
  const [ended] = await connection.call("delegations.revoke", { ids: [lease.delegation.id] });
  const taken = performance.now() - start;
  if (ended?.proof?.method !== "dma-buf-revoke") throw new Error(`ended as ${JSON.stringify(ended)}`);
  lease.close();
  return taken;
}

async function measure(lender: Lender): Promise<Side> {
  for (let i = 0; i < WARM_UP; i++) {
    await lender.borrowAll();
    await lender.revokeAll();
  }
  const [borrow, revoke] = [await lender.borrowAll(), await lender.revokeAll()];
  const borrowCalls = await callsOf(lender.pids, () => lender.borrowAll());
  const revokeCalls = await callsOf(lender.pids, () => lender.revokeAll());
  return { borrow, revoke, borrowCalls, revokeCalls };
}

/** System calls for each page, of all that take part. */
async function callsOf(pids: readonly number[], work: () => Promise<unknown>): Promise<number> {
  const counter = spawn(countCalls, pids.map(String), { stdio: ["ignore", "pipe", "inherit"] });
  const output = text(counter.stdout);
  await once(counter.stdout, "data");
  await work();
  counter.kill("SIGTERM");
  const [, ...counts] = (await output).trim().split("\n").map(Number);
  if (counts.length !== pids.length) throw new Error("count-calls did not come to its end");
  return counts.reduce((sum, calls) => sum + calls, 0) / count;
}

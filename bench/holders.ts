import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import { BenchAgent } from "./agent.ts";
import { timed } from "./numbers.ts";
import { rawProgram } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 7;
const EXPORTS = 1000;
const PROCESSES = 500;
const CONNECTIONS = 5;
/** Exports that each process has open and mapped. */
const SHARE = 10;
/** Besides the crowd: the crowd's first process, this one, the agent and its warden. */
const OTHERS = 4;

/** Who holds each of many exports, among many processes. */
export async function holders(): Promise<Line[]> {
  await using agent = await BenchAgent.start({ args: ["--max-delegations", String(2 * EXPORTS)], cores: "all" });
  const connection = await agent.connect();
  const connections = await Promise.all(Array.from({ length: CONNECTIONS }, () => agent.connect()));
  const leases: Lease[] = [];
  for (let i = 0; i < EXPORTS; i++) leases.push(await connection.borrow({ buffer: "sim0/regs", access: "read-only" }));
  const crowd = await crowdWith(leases.map(({ fd }) => fd));
  const all: number[] = [];
  const one: number[] = [];
  const meanwhile: number[] = [];
  try {
    for (let round = 0; round < ROUNDS; round++) {
      all.push((await timed(() => lookForAll(connections, leases))).ms);
      one.push((await timed(() => lookFor(connection, leases[round]!))).ms);
      const looking = lookFor(connection, leases[round]!);
      meanwhile.push((await timed(() => connection.call("buffers.get", { name: "sim0/ch0" }))).ms);
      await looking;
    }
  } finally {
    crowd.kill("SIGKILL");
    await once(crowd, "close");
  }
  const each = `${(PROCESSES * SHARE) / EXPORTS + OTHERS} holders`;
  return [
    `Holders: ${EXPORTS} exports with ${each} each, ${PROCESSES} processes besides those of the host; the agent on all cores`,
    { what: `holders of all ${EXPORTS}, a call each`, ours: all, target: "≤ 200 ms" },
    { what: "holders of one", ours: one },
    { what: "another call meanwhile", ours: meanwhile },
  ];
}

/** All at once: a connection may have so many calls under way. */
async function lookForAll(connections: readonly Connection[], leases: readonly Lease[]): Promise<void> {
  await Promise.all(leases.map((lease, i) => lookFor(connections[i % connections.length]!, lease)));
}

async function lookFor(connection: Connection, { delegation: { id } }: Lease): Promise<void> {
  const { total } = await connection.call("delegations.holders", { id });
  const expected = (PROCESSES * SHARE) / EXPORTS + OTHERS;
  if (total !== expected) throw new Error(`${total} holders of delegation ${id}, and there are ${expected}`);
}

async function crowdWith(fds: readonly number[]): Promise<ChildProcess> {
  const numbers = [PROCESSES, fds.length, SHARE].map(String);
  const crowd = spawn(rawProgram("crowd"), numbers, { stdio: ["pipe", "pipe", "inherit", ...fds] });
  await once(createInterface({ input: crowd.stdout! }), "line");
  return crowd;
}

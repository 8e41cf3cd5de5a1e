import type { Connection } from "@lendbuf/client/connection";
import { BenchAgent } from "./agent.ts";
import { runRaw } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 3;
const WANTED = 10_000;
/** What the agent and its warden have open besides. */
const OTHER_FILES = 200;

/** Everything taken back at once, and what each live delegation costs in memory. */
export async function revokeAll(): Promise<Line[]> {
  const args = ["--max-delegations", String(2 * WANTED)];
  const small = await measure(args, 4096);
  const large = await measure(args, 65_536);
  return [...small, ...large.slice(1, 2)];
}

async function measure(args: string[], size: number): Promise<Line[]> {
  await using agent = await BenchAgent.start({ args });
  const connection = await agent.connect();
  const { limits } = await connection.call("status.get");
  const many = Math.min(WANTED, limits.files - OTHER_FILES);
  const buffer = await fullBuffer(connection, size);
  await borrowAll(connection, buffer, 1000);
  await connection.call("delegations.revokeAll");
  const ours: number[] = [];
  const loop: number[] = [];
  const memory: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    loop.push(runRaw("truncate", size, many)[0]! / 1e6);
    const before = agent.residentBytes;
    await borrowAll(connection, buffer, many);
    if (round === 0) memory.push((agent.residentBytes - before) / many);
    const start = performance.now();
    const { revoked } = await connection.call("delegations.revokeAll");
    ours.push(performance.now() - start);
    if (revoked !== many) throw new Error(`${revoked} of ${many} were revoked`);
  }
  const scaled = many < WANTED ? ` (not ${WANTED}: the agent may open ${limits.files} files)` : "";
  return [
    `${many} live delegations${scaled}, read-only ones of a full buffer`,
    { what: `revokeAll, ${size / 1024} KiB each`, ours, beside: { name: "C loop", values: loop }, target: "≤ 5 × C" },
    {
      what: "agent's memory per delegation",
      ours: memory,
      target: "≤ 4.0 KiB",
      show: (bytes) => `${(bytes / 1024).toFixed(1)} KiB`,
    },
  ];
}

async function fullBuffer(connection: Connection, size: number): Promise<string> {
  const name = `bench/${size}`;
  await connection.call("buffers.define", {
    name,
    device: "sim0",
    region: 2,
    ranges: [{ offset: 4 << 20, length: size }],
  });
  const lease = await connection.borrow({ buffer: name });
  lease.map().write(0, new Uint8Array(size).fill(1));
  await lease.release();
  return name;
}

async function borrowAll(connection: Connection, buffer: string, many: number): Promise<void> {
  for (let i = 0; i < many; i++) (await connection.borrow({ buffer, access: "read-only" })).close();
}

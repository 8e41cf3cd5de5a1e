import type { Connection } from "@lendbuf/client/connection";
import { BenchAgent } from "./agent.ts";
import { runRaw } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 3;
const WANTED = 10_000;
/** What the agent and its warden have open besides. */
const OTHER_FILES = 200;
const ARGS = ["--max-delegations", String(2 * WANTED)];

/** Everything taken back at once, and what each live delegation costs in memory. */
export async function revokeAll(): Promise<Line[]> {
  return [...(await timeOf(65_536)), ...(await timeOf(4096)).slice(1), await memoryOf(4096)];
}

/** The agent may use all cores: that it works side by side with its warden is the point. */
async function timeOf(size: number): Promise<Line[]> {
  await using agent = await BenchAgent.start({ args: ARGS, cores: "all" });
  const connection = await agent.connect();
  const many = await manyOf(connection);
  const buffer = await fullBuffer(connection, size);
  await borrowAll(connection, buffer, 1000);
  await connection.call("delegations.revokeAll");
  const ours: number[] = [];
  const loop: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    loop.push(runRaw("truncate", size, many)[0]! / 1e6);
    await borrowAll(connection, buffer, many);
    const start = performance.now();
    const { revoked } = await connection.call("delegations.revokeAll");
    ours.push(performance.now() - start);
    if (revoked !== many) throw new Error(`${revoked} of ${many} were revoked`);
  }
  const scaled = many < WANTED ? ` (not ${WANTED}: the agent may not open as many files)` : "";
  return [
    `${many} live delegations${scaled}, read-only ones of a full buffer; the agent and its warden on all cores`,
    { what: `revokeAll, ${size / 1024} KiB each`, ours, beside: { name: "C loop", values: loop }, target: "≤ 5 × C" },
  ];
}

async function memoryOf(size: number): Promise<Line> {
  await using agent = await BenchAgent.start({ args: ARGS, nodeArgs: ["--inspect=127.0.0.1:0"] });
  const connection = await agent.connect();
  const many = await manyOf(connection);
  const buffer = await fullBuffer(connection, size);
  await borrowAll(connection, buffer, many);
  await connection.call("delegations.revokeAll"); // once, so that what is compiled and kept is so before
  const before = await agent.liveBytes();
  await borrowAll(connection, buffer, many);
  const each = ((await agent.liveBytes()) - before) / many;
  return {
    what: "agent's live heap per delegation",
    ours: [each],
    target: "≤ 4.0 KiB",
    show: (bytes) => `${(bytes / 1024).toFixed(1)} KiB`,
  };
}

async function manyOf(connection: Connection): Promise<number> {
  const { limits } = await connection.call("status.get");
  return Math.min(WANTED, limits.files - OTHER_FILES);
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

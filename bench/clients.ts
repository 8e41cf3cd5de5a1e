import { execFileSync } from "node:child_process";
import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { BenchAgent } from "./agent.ts";
import { SIZE } from "./cycle.ts";
import { BENCH } from "./machine.ts";
import { median } from "./numbers.ts";
import { runRaw } from "./raw.ts";
import type { Line, Row } from "./table.ts";

const BUFFER = "bench/clients";
const ROUNDS = 5;
const CYCLES = 300;
const WARM_UP = 1500;
const READS = 200;
const READ_BYTES = 1 << 20;

/** Milliseconds. */
interface Taken {
  /** The median. */
  borrow: number;
  /** Into bytes that are there. */
  read: number;
}
type Client = (connection: Connection, socket: string) => Taken | Promise<Taken>;

const CLIENTS: Record<string, Client> = { TypeScript: typeScript, C: c, Python: python };

/** Each client, beside packets made by hand and a bare copy. */
export async function clients(): Promise<Line[]> {
  await using agent = await BenchAgent.start();
  const connection = await agent.connect();
  const ranges = [{ offset: 6 << 20, length: SIZE }];
  await connection.call("buffers.define", { name: BUFFER, device: "sim0", region: 2, ranges });
  for (let i = 0; i < WARM_UP; i++) await borrowOnce(connection);
  const taken = Object.fromEntries(Object.keys(CLIENTS).map((name) => [name, [] as Taken[]]));
  const raw: Taken[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    raw.push({
      borrow: median(runRaw("raw-socket", agent.socket, BUFFER, CYCLES)) / 1e6,
      read: runRaw("access")[1]! / 1e6,
    });
    for (const [name, run] of Object.entries(CLIENTS)) taken[name]!.push(await run(connection, agent.socket));
  }
  const row = (what: string, name: string, of: keyof Taken, beside: string): Row => ({
    what: `${name}: ${what}`,
    ours: taken[name]!.map((each) => each[of]),
    beside: { name: beside, values: raw.map((each) => each[of]) },
  });
  const names = Object.keys(CLIENTS);
  return [
    "The clients: one 64 KiB buffer borrowed and given back",
    ...names.map((name) => row("borrow + release, p50", name, "borrow", "raw socket")),
    "The clients: lent memory read in bulk, guarded",
    ...names.map((name) => row("read of 1 MiB", name, "read", "memcpy")),
  ];
}

async function typeScript(connection: Connection): Promise<Taken> {
  const borrows: number[] = [];
  for (let i = 0; i < CYCLES; i++) borrows.push(await borrowOnce(connection));
  await using lease = await connection.borrow("sim0/ddr");
  const bytes = new Uint8Array(READ_BYTES).fill(1);
  lease.write(0, bytes);
  const start = performance.now();
  for (let i = 0; i < READS; i++) lease.readInto(0, bytes);
  return { borrow: median(borrows), read: (performance.now() - start) / READS };
}

async function borrowOnce(connection: Connection): Promise<number> {
  const start = performance.now();
  const lease = await connection.borrow(BUFFER);
  await lease.release();
  return performance.now() - start;
}

function c(_connection: Connection, socket: string): Taken {
  const [read, ...borrows] = runRaw("c-client", socket, BUFFER, CYCLES, READS);
  return { borrow: median(borrows) / 1e6, read: read! / 1e6 };
}

function python(_connection: Connection, socket: string): Taken {
  const args = ["-B", join(BENCH, "python.py"), socket, BUFFER, `${CYCLES}`, `${READS}`];
  const [borrow, read] = execFileSync("python3", args, { encoding: "utf8" }).trim().split("\n").map(Number);
  return { borrow: borrow! / 1e6, read: read! / 1e6 };
}

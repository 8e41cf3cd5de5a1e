import type { Connection } from "@lendbuf/client/connection";
import { BenchAgent } from "./agent.ts";
import { median, quantile } from "./numbers.ts";
import { runRaw } from "./raw.ts";
import type { Line, Row } from "./table.ts";

export const SIZE = 65_536;
const ROUNDS = 7;
const CYCLES = 400;
const WARM_UP = 1500;

/** Grants and revokes: how long a client waits for one of each. */
export async function cycle(): Promise<Line[]> {
  return [
    ...(await withUsualDurability()),
    "With --durability full: each decision waits for the disk",
    ...(await withFullDurability()),
  ];
}

async function withUsualDurability(): Promise<Line[]> {
  await using agent = await BenchAgent.start();
  const connection = await agent.connect();
  return [
    "One 64 KiB buffer lent and taken back, durable and audited, through the warden",
    ...(await measure(connection, "empty", ROUNDS, CYCLES)),
    "The same with 64 KiB in it, which are copied at the grant and kept at the end",
    ...(await measure(connection, "filled", ROUNDS, CYCLES)),
  ];
}

async function withFullDurability(): Promise<Line[]> {
  await using agent = await BenchAgent.start({ args: ["--durability", "full"] });
  const rows = await measure(await agent.connect(), "empty", 3, 150);
  return rows.map((row) => ({ ...row, target: undefined }));
}

async function measure(
  connection: Connection,
  contents: "empty" | "filled",
  rounds: number,
  cycles: number,
): Promise<Row[]> {
  const buffer = await prepare(connection, contents);
  for (let i = 0; i < WARM_UP; i++) await requestClaimRevoke(connection, buffer);
  for (let i = 0; i < WARM_UP; i++) await borrowRelease(connection, buffer);
  const ours: number[][] = [];
  const borrows: number[][] = [];
  const raw: number[][] = [];
  for (let round = 0; round < rounds; round++) {
    raw.push(runRaw("pair", SIZE, contents, cycles).map((ns) => ns / 1e6));
    ours.push(await repeat(cycles, () => requestClaimRevoke(connection, buffer)));
    borrows.push(await repeat(cycles, () => borrowRelease(connection, buffer)));
  }
  const beside = { name: "C pair", values: raw.map(median) };
  return [
    { what: "request + claim + revoke, p50", ours: ours.map(median), beside, target: "≤ 200 µs" },
    { what: "request + claim + revoke, p99", ours: ours.map(p99), beside: { name: "C pair", values: raw.map(p99) } },
    { what: "borrow + release, p50", ours: borrows.map(median), beside, target: "≤ 150 µs" },
  ];
}

function p99(values: readonly number[]): number {
  return quantile(values, 0.99);
}

/** A buffer of plain memory, never written or full. */
async function prepare(connection: Connection, contents: "empty" | "filled"): Promise<string> {
  const buffer = `bench/${contents}`;
  const offset = contents === "empty" ? 4 << 20 : 5 << 20;
  await connection.call("buffers.define", {
    name: buffer,
    device: "sim0",
    region: 2,
    ranges: [{ offset, length: SIZE }],
  });
  if (contents === "filled") {
    const lease = await connection.borrow({ buffer });
    lease.map().write(0, new Uint8Array(SIZE).fill(1));
    await lease.release();
  }
  return buffer;
}

async function repeat(times: number, work: () => Promise<number>): Promise<number[]> {
  const taken: number[] = [];
  for (let i = 0; i < times; i++) taken.push(await work());
  return taken;
}

async function requestClaimRevoke(connection: Connection, buffer: string): Promise<number> {
  const start = performance.now();
  const { id } = await connection.call("delegations.request", { buffer });
  const lease = await connection.claim(id);
  await connection.call("delegations.revoke", { ids: [id] });
  const taken = performance.now() - start;
  lease.close();
  return taken;
}

async function borrowRelease(connection: Connection, buffer: string): Promise<number> {
  const start = performance.now();
  const lease = await connection.borrow({ buffer });
  await connection.call("delegations.release", { id: lease.delegation.id });
  const taken = performance.now() - start;
  lease.close();
  return taken;
}

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { BenchAgent } from "./agent.ts";
import { SIZE } from "./cycle.ts";
import { BENCH } from "./machine.ts";
import { median } from "./numbers.ts";
import { runRaw } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 5;
const CYCLES = 300;
const READS = 200;

/** The Python client, in a process of its own. */
export async function python(): Promise<Line[]> {
  await using agent = await BenchAgent.start();
  const connection = await agent.connect();
  const ranges = [{ offset: 6 << 20, length: SIZE }];
  await connection.call("buffers.define", { name: "bench/python", device: "sim0", region: 2, ranges });
  const borrows: number[] = [];
  const reads: number[] = [];
  const pairs: number[] = [];
  const copies: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    pairs.push(median(runRaw("pair", SIZE, "empty", CYCLES)) / 1e6);
    copies.push(runRaw("access")[1]! / 1e6);
    const [borrow, read] = runPython(agent.socket, CYCLES, READS);
    borrows.push(borrow! / 1e6);
    reads.push(read! / 1e6);
  }
  return [
    "The Python client",
    { what: "borrow + release, p50", ours: borrows, beside: { name: "C pair", values: pairs } },
    { what: "read of 1 MiB, through a pipe", ours: reads, beside: { name: "memcpy", values: copies } },
  ];
}

function runPython(...args: (string | number)[]): number[] {
  const output = execFileSync("python3", ["-B", join(BENCH, "python.py"), ...args.map(String)], { encoding: "utf8" });
  return output.trim().split("\n").map(Number);
}

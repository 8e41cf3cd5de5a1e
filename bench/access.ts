import { closeSync } from "node:fs";
import { createMemfd, Mapping } from "@lendbuf/native/addon";
import { runRaw } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 5;
const SIZE = 1 << 20;
const LOADS = 1_000_000;
const READS = 200;

/** Memory that may be taken away at any moment, read from JavaScript. */
export async function access(): Promise<Line[]> {
  const fd = createMemfd("bench", SIZE);
  const mapping = new Mapping(fd, { length: SIZE, writable: true });
  mapping.write(0, new Uint8Array(SIZE).fill(1));
  const into = new Uint8Array(SIZE);
  const loads: number[] = [];
  const reads: number[] = [];
  const raw: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) {
    raw.push(runRaw("access").map((ns) => ns / 1e6));
    loads.push(each(LOADS, (i) => mapping.load((i & 1023) * 4, 32)));
    reads.push(each(READS, () => mapping.read(0, into)));
  }
  mapping.close();
  closeSync(fd);
  return [
    "Access to lent memory",
    {
      what: "guarded load, 32 bits, from JavaScript",
      ours: loads,
      beside: { name: "C load", values: raw.map(([load]) => load!) },
    },
    { what: "guarded read of 1 MiB", ours: reads, beside: { name: "memcpy", values: raw.map(([, copy]) => copy!) } },
  ];
}

function each(times: number, work: (i: number) => void): number {
  const start = performance.now();
  for (let i = 0; i < times; i++) work(i);
  return (performance.now() - start) / times;
}

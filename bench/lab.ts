import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { BENCH } from "./machine.ts";
import { median } from "./numbers.ts";
import type { Line, Row } from "./table.ts";

const ROUNDS = 3;
const COUNT = 20; // some 70 ms each, emulated
const HEADING =
  "A page of a real BAR, in the lab machine, whose processor is emulated: only ratios and calls mean something";

/** Milliseconds of each page, and system calls for each. */
export interface Side {
  borrow: number[];
  revoke: number[];
  borrowCalls: number;
  revokeCalls: number;
}

/** One round. */
export interface Figures {
  bare: Side;
  ours: Side;
}

/** The agent with a real device, beside a C program that does the bare calls in the same boot. */
export async function lab(): Promise<Line[]> {
  const { obstacle, lendBar } = await import(pathToFileURL(join(BENCH, "in-lab.mjs")).href);
  const why: string | undefined = obstacle("lab");
  if (why) return [HEADING, `left out: ${why}`];
  const rounds: Figures[] = await lendBar({ count: COUNT, rounds: ROUNDS });
  return [
    HEADING,
    ...both("export + claim", "C export + sendmsg", rounds, ({ borrow }) => median(borrow)),
    ...both("revoke", "C bare ioctl", rounds, ({ revoke }) => median(revoke)),
    ...both("system calls of export + claim", "C", rounds, ({ borrowCalls }) => borrowCalls, calls),
    ...both("system calls of revoke", "C", rounds, ({ revokeCalls }) => revokeCalls, calls),
  ];
}

function both(
  what: string,
  name: string,
  rounds: readonly Figures[],
  of: (side: Side) => number,
  show?: Row["show"],
): Row[] {
  const [ours, bare] = [rounds.map((round) => of(round.ours)), rounds.map((round) => of(round.bare))];
  return [
    { what: show ? what : `${what}, p50`, ours, beside: { name, values: bare }, show },
    { what: "  added", ours: ours.map((value, i) => value - bare[i]!), show },
  ];
}

function calls(value: number): string {
  return value.toFixed(1);
}

import { type ChildProcess, spawn } from "node:child_process";
import { closeSync } from "node:fs";
import { createInterface } from "node:readline";
import { packetSocketPair } from "@lendbuf/native/addon";
import { BenchAgent } from "./agent.ts";
import { onOtherCore } from "./machine.ts";
import { rawProgram } from "./raw.ts";
import type { Line } from "./table.ts";

const ROUNDS = 5;
const MANY = 1000;
const SIZE = 4096;

/** From SIGKILL of the agent until nobody can read any more. */
export async function kill(): Promise<Line[]> {
  const ours: number[] = [];
  for (let round = 0; round < ROUNDS; round++) ours.push(await once());
  return [
    `SIGKILL of the agent with ${MANY} delegations live, a process on another core reading them all without pause`,
    { what: "until the last read that succeeded", ours, target: "≤ 50 ms" },
  ];
}

async function once(): Promise<number> {
  await using agent = await BenchAgent.start({ args: ["--max-delegations", String(2 * MANY)] });
  const connection = await agent.connect();
  const { socket, fd } = packetSocketPair();
  const [command, ...args] = onOtherCore([rawProgram("holder"), String(SIZE)]);
  const holder = spawn(command!, args, { stdio: ["ignore", "pipe", "inherit", fd] });
  closeSync(fd);
  const said = linesOf(holder);
  for (let i = 0; i < MANY; i++) {
    const lease = await connection.borrow({ buffer: "sim0/regs", access: "read-only" });
    while (socket.send("x", [lease.fd]) > 0) await new Promise((resolve) => setImmediate(resolve));
    lease.close();
  }
  socket.close();
  const reading = Number((await said.next()).value);
  if (reading !== MANY) throw new Error(`the holder reads ${reading} of ${MANY}`);
  const killed = process.hrtime.bigint();
  agent.kill();
  const last = BigInt((await said.next()).value as string);
  return Math.max(0, Number(last - killed) / 1e6);
}

function linesOf({ stdout }: ChildProcess): AsyncIterator<string> {
  return createInterface({ input: stdout! })[Symbol.asyncIterator]();
}

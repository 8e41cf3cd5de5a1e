// A program that was lent memory: maps it and does what it is told on stdin, one answer a line.
//   read OFFSET LENGTH · write OFFSET TEXT · lose (reads until it cannot) · exit CODE
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { Mapping } from "@lendbuf/native/addon";

const { LENDBUF_FD, LENDBUF_SIZE, LENDBUF_ACCESS } = process.env;
const writable = LENDBUF_ACCESS === "read-write";
const mapping = new Mapping(Number(LENDBUF_FD), { length: Number(LENDBUF_SIZE), writable });

for (const signal of ["SIGTERM", "SIGINT", "SIGUSR1", "SIGUSR2", "SIGHUP"] as const)
  process.on(signal, () => console.log(`got ${signal}`));

console.log(`holder ${process.pid} of ${process.ppid} ready`);
for await (const line of createInterface({ input: process.stdin })) {
  const [command, offset, rest = ""] = line.split(" ");
  if (command === "exit") process.exit(Number(offset));
  try {
    console.log(`${command}: ${await answer(command, Number(offset), rest)}`);
  } catch (error) {
    console.log(`${command}: ${(error as NodeJS.ErrnoException).code}`);
  }
}

async function answer(command: string | undefined, offset: number, rest: string): Promise<string> {
  if (command === "read") return read(offset, Number(rest));
  if (command === "write") return write(offset, rest);
  for (;;) {
    read(0, 1);
    await delay(1);
  }
}

function read(offset: number, length: number): string {
  const bytes = new Uint8Array(length);
  mapping.read(offset, bytes);
  return Buffer.from(bytes).toString();
}

function write(offset: number, text: string): string {
  mapping.write(offset, Buffer.from(text));
  return "done";
}

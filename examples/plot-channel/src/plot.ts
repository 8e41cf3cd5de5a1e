// Plots a capture channel in the terminal, live from lent memory. Exit codes: 0 done, 2 asked wrongly, 3 the memory was taken back,
// 1 anything else.
//   npx lendbuf exec sim0/ch0 --read-only -- node examples/plot-channel/dist/plot.js
//   node examples/plot-channel/dist/plot.js sim0/ch1 --frames 10
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type Memory, openMemory } from "./memory.ts";
import { findHead, newestWindow, trace } from "./scope.ts";

const USAGE = "usage: plot.js [BUFFER] [--frames N] [--samples N]";
const FRAME_MS = 100;
const TAKEN_BACK = 3;

interface Wishes {
  buffer: string;
  frames: number;
  /** How many samples the window shows. */
  samples: number;
}

process.stdout.on("error", () => process.exit(0)); // nobody reads any more
process.on("SIGINT", () => process.exit(130));
process.exitCode = await main();

async function main(): Promise<number> {
  const wishes = readWishes();
  if (!wishes) return fail(USAGE, 2);
  let memory: Memory;
  try {
    memory = await openMemory(wishes.buffer);
  } catch (error) {
    return fail((error as Error).message, 1);
  }
  const began = Date.now();
  try {
    await plot(memory, wishes);
    return 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EFAULT") throw error;
    const seconds = ((Date.now() - began) / 1000).toFixed(1);
    return fail(
      `The memory of ${memory.name} was taken back after ${seconds} s (${await memory.whyGone()}).`,
      TAKEN_BACK,
    );
  } finally {
    await memory.giveBack();
  }
}

async function plot({ name, mapping }: Memory, { frames, samples }: Wishes): Promise<void> {
  const ring = () => new Int16Array(mapping.size / Int16Array.BYTES_PER_ELEMENT);
  let [before, now] = [ring(), ring()];
  let head = 0;
  if (process.stdout.isTTY) takeScreen();
  mapping.read(0, new Uint8Array(before.buffer));
  for (let frame = 0; frame < frames; frame++) {
    await delay(FRAME_MS);
    mapping.read(0, new Uint8Array(now.buffer));
    head = findHead(before, now) ?? head;
    show(name, newestWindow(now, head, Math.min(samples, now.length >> 1)));
    [before, now] = [now, before];
  }
}

function show(name: string, samples: Int16Array): void {
  const { isTTY, columns = Number(process.env.COLUMNS) || 80, rows = 24 } = process.stdout;
  const {
    rows: lines,
    lowest,
    highest,
  } = trace(samples, columns - 1, Math.max(2, Math.min(rows - 2, isTTY ? 40 : 12)));
  const title = `${name}: ${samples.length} samples, ${lowest} to ${highest}`.slice(0, columns - 1);
  const frame = [title, ...lines];
  process.stdout.write(
    isTTY ? `\x1b[H${frame.map((line) => `${line}\x1b[K`).join("\n")}\x1b[J` : `${frame.join("\n")}\n\n`,
  );
}

/** The terminal's other screen, until this process ends. */
function takeScreen(): void {
  process.stdout.write("\x1b[?1049h\x1b[?25l");
  process.on("exit", leaveScreen);
}

function leaveScreen(): void {
  process.stdout.write("\x1b[?25h\x1b[?1049l");
}

function fail(message: string, code: number): number {
  // First the screen: what is written on the other one vanishes.
  if (process.stdout.isTTY) leaveScreen();
  process.off("exit", leaveScreen);
  console.error(message);
  return code;
}

function readWishes(): Wishes | undefined {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { frames: { type: "string" }, samples: { type: "string", default: "1000" } },
    });
    const frames = values.frames === undefined ? Number.POSITIVE_INFINITY : Number(values.frames);
    const samples = Number(values.samples);
    const areCounts = frames > 0 && samples > 1 && Number.isInteger(samples);
    return areCounts && positionals.length <= 1 ? { buffer: positionals[0] ?? "sim0/ch0", frames, samples } : undefined;
  } catch {
    return undefined;
  }
}

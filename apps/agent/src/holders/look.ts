import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { holdersPath } from "@lendbuf/native/build";
import { Finding } from "./finding.ts";

/** It has been at the same thing the last time that we asked, and now. */
const ASK_MS = 1000;

export interface Answer {
  findings: Finding[];
  /** At what it was when it was given up; null: it came to its end. */
  stuckAt: string | null;
}

/**
 * Runs the program that looks at /proc. Another process decides how long a look at it takes, so the program is given up where it stays at
 * one thing for longer than a second; what it had found until then counts. Rejects where it cannot run or breaks off by itself.
 */
export async function look(args: readonly string[], input = ""): Promise<Answer> {
  const program = spawn(holdersPath(), args, { stdio: ["pipe", "pipe", "pipe"] });
  program.stdin.on("error", () => {}); // it has ended: its exit says more
  program.stdin.end(input);
  let words = "";
  program.stderr.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-1000);
  });
  const ended = new Promise<number | null>((resolve, reject) => {
    program.once("error", reject);
    program.once("close", resolve);
  });
  ended.catch(() => {}); // awaited below, after its output
  const lines = createInterface({ input: program.stdout });
  let stuckAt: string | null = null;
  const stop = watchFor(program, (at) => {
    stuckAt = at;
    lines.close(); // not only killed: where it waits in the kernel it may not even die
  });
  const findings: Finding[] = [];
  try {
    for await (const line of lines) {
      if (line.endsWith("}")) findings.push(Finding.parse(JSON.parse(line))); // one that was killed may leave half a line
    }
    if (stuckAt !== null) return { findings, stuckAt };
    const code = await ended;
    if (code !== 0) throw new Error(`The look at /proc broke off: ${words.trim() || `status ${code}`}`);
    return { findings, stuckAt };
  } finally {
    stop();
    program.kill("SIGKILL");
    program.stdout.destroy();
  }
}

/** Calls back where the program does not get on: its name tells at what it is. Answers what ends the watch. */
function watchFor(program: ChildProcess, onStuck: (at: string) => void): () => void {
  let last: string | undefined;
  const timer = setInterval(() => {
    const at = nameOf(program.pid);
    if (at !== undefined && at === last) onStuck(at);
    last = at;
  }, ASK_MS);
  return () => clearInterval(timer);
}

function nameOf(pid: number | undefined): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return undefined;
  }
}

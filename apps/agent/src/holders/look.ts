import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, createReadStream, readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { createMemfd } from "@lendbuf/native/addon";
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
  const output = createMemfd("lendbuf-look", 0); // no pipe: that would wake us for each process, on the cores that look
  const program = spawn(holdersPath(), args, { stdio: ["pipe", output, "pipe"] });
  program.stdin!.on("error", () => {}); // it has ended: its exit says more
  program.stdin!.end(input);
  let words = "";
  program.stderr!.setEncoding("utf8").on("data", (text: string) => {
    words = (words + text).slice(-1000);
  });
  const watch = watchFor(program);
  try {
    const end = await Promise.race([watch.stuck, endOf(program)]);
    const findings = await findingsIn(output);
    if (typeof end === "string") return { findings, stuckAt: end };
    if (end !== 0) throw new Error(`The look at /proc broke off: ${words.trim() || `status ${end}`}`);
    return { findings, stuckAt: null };
  } finally {
    watch.stop();
    program.kill("SIGKILL");
    program.stderr!.destroy();
    closeSync(output);
  }
}

/** Its status; null: it was killed. Rejects where it could not be started. */
function endOf(program: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    program.once("error", reject);
    program.once("close", resolve);
  });
}

async function findingsIn(output: number): Promise<Finding[]> {
  const findings: Finding[] = [];
  const lines = createInterface({ input: createReadStream("", { fd: output, start: 0, autoClose: false }) });
  for await (const line of lines) {
    if (line.endsWith("}")) findings.push(Finding.parse(JSON.parse(line))); // one that was given up may leave half a line
  }
  return findings;
}

/** Resolves where the program does not get on, with what it is at: its name tells. Where it waits in the kernel it may not even die. */
function watchFor(program: ChildProcess): { stuck: Promise<string>; stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<string>((resolve) => {
    let last: string | undefined;
    timer = setInterval(() => {
      const at = nameOf(program.pid);
      if (at !== undefined && at === last) resolve(at);
      last = at;
    }, ASK_MS);
  });
  return { stuck, stop: () => clearInterval(timer) };
}

function nameOf(pid: number | undefined): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
  } catch {
    return undefined;
  }
}

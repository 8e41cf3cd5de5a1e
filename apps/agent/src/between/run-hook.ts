import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import type { Hook } from "@lendbuf/config/hook-definitions";
import { hookPath } from "@lendbuf/native/build";

/** How a hook went. */
export interface Outcome {
  hook: string;
  /** Null: it succeeded. */
  problem: string | null;
  durationMs: number;
  /** What it printed, cut to MAX_OUTPUT. */
  output: string;
}

const MAX_OUTPUT = 4096;
/** So long after its time has come everything of it must be gone; else it is left to itself. */
const GRACE_MS = 2000;
const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/**
 * Runs an operator's program, by way of one that gives it nothing of ours and ends with it whatever it started. Resolves in its time and a
 * little more at the latest, whatever the program does; never rejects.
 */
export async function runHook(hook: Hook, facts: Record<string, string>, stop: AbortSignal): Promise<Outcome> {
  const start = performance.now();
  const asWhom = process.getuid!() === 0 ? ["--uid", String(hook.uid)] : [];
  const environment: Record<string, string> = { PATH, LANG: "C.UTF-8", ...hook.environment, ...facts };
  const child = spawn(hookPath(), [...asWhom, "--", ...hook.command], {
    cwd: "/",
    env: environment as NodeJS.ProcessEnv,
    detached: true, // no terminal's Ctrl-C reaches it before it reaches us
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => {
      if (output.length < MAX_OUTPUT) output = (output + text).slice(0, MAX_OUTPUT);
    });
  child.stdin.on("error", () => {}); // it has ended: its exit says more
  const problem = await ending(child, hook.timeout, stop);
  // A little of what it said last may still be on its way; whoever keeps a pipe open keeps nobody waiting.
  await new Promise(setImmediate);
  for (const stream of [child.stdout, child.stderr]) stream.destroy();
  return { hook: hook.name, problem, durationMs: performance.now() - start, output: output.trimEnd() };
}

/** Null: it succeeded; else what was wrong. */
function ending(child: ChildProcessWithoutNullStreams, limitMs: number, stop: AbortSignal): Promise<string | null> {
  return new Promise((resolve) => {
    let why: string | undefined;
    let lastResort: NodeJS.Timeout | undefined;
    const giveUp = (words: string) => {
      why ??= words;
      child.stdin.destroy(); // it ends the program, and all that came of it
      lastResort ??= setTimeout(() => {
        child.kill("SIGKILL");
        settle(`${why}, and does not even die`);
      }, GRACE_MS);
    };
    const onStop = () => giveUp("the agent ended");
    const limit = setTimeout(() => giveUp(`it took longer than ${limitMs / 1000} s`), limitMs);
    const settle = (words: string | null) => {
      clearTimeout(limit);
      clearTimeout(lastResort);
      stop.removeEventListener("abort", onStop);
      resolve(words);
    };
    stop.addEventListener("abort", onStop, { once: true });
    if (stop.aborted) onStop();
    child.once("error", (cause) => settle(`it cannot be started: ${cause.message}`));
    child.once("exit", (code, signal) => settle(why ?? problemOf(code, signal)));
  });
}

function problemOf(code: number | null, signal: NodeJS.Signals | null): string | null {
  if (code === 0) return null;
  if (code === 127) return "it could not be started";
  if (code !== null && code > 128) return `it died of signal ${code - 128}`;
  return code === null ? `it was ended by ${signal}` : `it exited with ${code}`;
}

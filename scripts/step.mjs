// Runs one command to its end, whatever it does: bounded in time, and nothing that it started in its process group outlives it.
import { spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { constants } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LOGS = join(ROOT, ".cache/logs");
const GRACE_MS = 5_000;

// No tool of ours calls home.
const QUIET = {
  DO_NOT_TRACK: "1",
  NEXT_TELEMETRY_DISABLED: "1",
  TURBO_NO_UPDATE_NOTIFIER: "1",
  TURBO_TELEMETRY_DISABLED: "1",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
};

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"];

const running = new Set();
let interrupted = false;

/**
 * Resolves with what became of the command: `ok`, `problem` (a sentence, where it is not ok), `seconds`, and `log`, its whole output,
 * which stands in .cache/logs/NAME.log too. With `show` the output goes to our own stdout instead and `log` is empty.
 */
export async function runStep(name, command, { timeoutMs, env = {}, show = false, cwd = ROOT }) {
  const logFile = join(LOGS, `${name.replaceAll(/\W+/g, "-")}.log`);
  mkdirSync(LOGS, { recursive: true });
  const output = show ? "inherit" : openSync(logFile, "w");
  const started = performance.now();
  const child = spawn(command[0], command.slice(1), {
    cwd,
    detached: true, // a process group of its own, so that all of it can be ended
    env: { ...process.env, ...QUIET, ...env },
    stdio: ["ignore", output, output],
  });
  watch(child);
  const problem = await outcome(child, timeoutMs);
  unwatch(child);
  killGroup(child, "SIGKILL");
  if (!show) closeSync(output);
  const seconds = (performance.now() - started) / 1000;
  return { ok: problem === undefined, problem, seconds, log: show ? "" : readFileSync(logFile, "utf8"), logFile };
}

/** The end of a log, for a terminal. */
export function tail(log, lines = 60) {
  return log.trimEnd().split("\n").slice(-lines).join("\n");
}

function outcome(child, timeoutMs) {
  return new Promise((resolve) => {
    let overdue = false;
    let last;
    const timer = setTimeout(() => {
      overdue = true;
      killGroup(child, "SIGTERM");
      last = setTimeout(() => killGroup(child, "SIGKILL"), GRACE_MS);
    }, timeoutMs);
    const settle = (problem) => {
      clearTimeout(timer);
      clearTimeout(last);
      if (interrupted) return; // interrupt() exits, nobody goes on
      resolve(overdue ? `did not end within ${timeoutMs / 1000} s` : problem);
    };
    child.on("error", (error) => settle(`could not be started: ${error.message}`));
    child.on("exit", (code, signal) =>
      settle(code === 0 ? undefined : signal ? `died of ${signal}` : `exited with ${code}`),
    );
  });
}

// While a step runs a signal ends it first; between steps signals do what they always do.
function watch(child) {
  if (running.size === 0) for (const signal of SIGNALS) process.on(signal, interrupt);
  running.add(child);
}

function unwatch(child) {
  running.delete(child);
  if (running.size === 0) for (const signal of SIGNALS) process.off(signal, interrupt);
}

async function interrupt(signal) {
  if (interrupted) return;
  interrupted = true;
  for (const child of running) killGroup(child, "SIGTERM");
  await Promise.race([Promise.all([...running].map(ended)), new Promise((resolve) => setTimeout(resolve, GRACE_MS))]);
  for (const child of running) killGroup(child, "SIGKILL");
  process.exit(128 + constants.signals[signal]);
}

function ended(child) {
  return new Promise((resolve) => child.on("exit", resolve));
}

function killGroup(child, signal) {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch (error) {
    if (error.code !== "ESRCH") throw error;
  }
}

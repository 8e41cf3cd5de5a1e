import { constants } from "node:os";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";

const ENDING = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Aborts when this process is told to end: Ctrl-C, SIGTERM, a closed terminal. */
export function interruption(): AbortSignal {
  const stop = new AbortController();
  for (const signal of ENDING) process.once(signal, () => stop.abort(interruptedBy(signal)));
  return stop.signal;
}

export function interruptedBy(signal: NodeJS.Signals): Failure {
  return new Failure("INTERRUPTED", EXIT.signal + constants.signals[signal], `Interrupted (${signal}).`);
}

export function isInterrupt(error: unknown): boolean {
  return error instanceof Failure && error.code === "INTERRUPTED";
}

/** Runs what goes on until this process is told to end, which is no failure. */
export async function untilInterrupted(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  try {
    await work(interruption());
  } catch (error) {
    if (!isInterrupt(error)) throw error;
  }
}

// How long to wait for an agent that went away, and when not to.
import { setTimeout as delay } from "node:timers/promises";
import { ConnectionLost, NoAgent } from "./errors.ts";

export const FIRST_PAUSE_MS = 100;
export const LONGEST_PAUSE_MS = 5000;

export function longerPause(pauseMs: number): number {
  return Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
}

/** Throws the signal's reason. */
export async function pause(ms: number, signal: AbortSignal | undefined): Promise<void> {
  try {
    await delay(ms, undefined, { signal });
  } catch {
    signal?.throwIfAborted();
  }
}

/** Whether it is what a restart of the agent looks like. */
export function maySucceedLater(error: unknown): boolean {
  if (error instanceof ConnectionLost) return true;
  return error instanceof NoAgent && ["ENOENT", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT"].includes(error.code);
}

import { type Command, Option } from "commander";
import { duration, signalName } from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import type { RunSettings } from "./run.ts";

const BEFORE_MS = 30_000;

export interface SignalOptions {
  signal?: NodeJS.Signals;
  signalBefore?: number;
}

/** Of every command that runs another. */
export function addSignalOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--signal <signal>", "send the command this before the memory goes: USR1").argParser(signalName),
    )
    .addOption(new Option("--signal-before <duration>", "so long before (default: 30s)").argParser(duration));
}

export function beforeEndOf({ signal, signalBefore }: SignalOptions): RunSettings["beforeEnd"] {
  if (signalBefore && !signal) throw usageFailure("--signal-before says when: add --signal USR1, or another.");
  return signal && { signal, ms: signalBefore ?? BEFORE_MS };
}

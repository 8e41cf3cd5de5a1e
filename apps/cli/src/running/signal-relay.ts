import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { interruptedBy } from "./interruption.ts";

const ENDING: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT", "SIGTERM", "SIGHUP"];
/** A listener on SIGUSR1 also keeps Node from opening its inspector. */
const OTHERS: readonly NodeJS.Signals[] = ["SIGUSR1", "SIGUSR2", "SIGCONT", "SIGWINCH"];
/** What a terminal sends to the whole foreground group, so that the command has it already. */
const FROM_TERMINAL: readonly NodeJS.Signals[] = ["SIGINT", "SIGQUIT", "SIGWINCH"];

/** Signals to this process go to the command; while there is none yet, those that end a process abort `interrupted`. */
export class SignalRelay {
  readonly #stop = new AbortController();
  #child: ChildProcess | undefined;

  constructor() {
    for (const signal of [...ENDING, ...OTHERS]) process.on(signal, () => this.#on(signal));
  }

  get interrupted(): AbortSignal {
    return this.#stop.signal;
  }

  passTo(child: ChildProcess): void {
    this.#child = child;
  }

  #on(signal: NodeJS.Signals): void {
    if (!this.#child) {
      if (ENDING.includes(signal)) this.#stop.abort(interruptedBy(signal));
    } else if (!FROM_TERMINAL.includes(signal) || !isInForeground()) this.#child.kill(signal);
  }
}

/** Whether our process group is the one that its terminal's keys send signals to (tty_nr and tpgid in proc_pid_stat(5)). */
function isInForeground(): boolean {
  const stat = readFileSync("/proc/self/stat", "utf8");
  const [, , group, , terminal, foreground] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return terminal !== "0" && group === foreground;
}

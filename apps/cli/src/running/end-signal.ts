import type { ChildProcess } from "node:child_process";
import type { Delegation } from "@lendbuf/shared/delegation";

/** What setTimeout can count, some 24 days; beyond it fires at once. */
const LONGEST_MS = 2 ** 31 - 1;

/** Sends a signal to the command so long before an end that is known to come: the lease's, or an announced one. Once for each such end: a lease that was extended has another. */
export class EndSignal implements Disposable {
  readonly #child: Pick<ChildProcess, "kill">;
  readonly #signal: NodeJS.Signals;
  readonly #beforeMs: number;
  #toldOf: number | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(child: Pick<ChildProcess, "kill">, { signal, ms }: { signal: NodeJS.Signals; ms: number }) {
    this.#child = child;
    this.#signal = signal;
    this.#beforeMs = ms;
  }

  /** How the delegation stands now. After its end nothing is sent: it would be no warning any more. */
  see(delegation: Delegation): void {
    clearTimeout(this.#timer);
    const end = endOf(delegation);
    if (end !== undefined && end !== this.#toldOf) this.#arm(end);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  #arm(end: number): void {
    const left = end - this.#beforeMs - Date.now();
    if (left <= 0) {
      this.#toldOf = end;
      this.#child.kill(this.#signal);
    } else this.#timer = setTimeout(() => this.#arm(end), Math.min(left, LONGEST_MS));
  }
}

function endOf({ state, ending, expiresAt }: Delegation): number | undefined {
  if (state !== "active") return undefined;
  const ends = [ending?.at, expiresAt].filter((at) => at !== null && at !== undefined);
  return ends.length > 0 ? Math.min(...ends) : undefined;
}

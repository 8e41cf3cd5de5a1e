import { sendDatagram } from "@lendbuf/native/addon";
import type { Core } from "../core.ts";
import { notReady } from "./health.ts";

/** The status is told this long after a change, so that many changes are told once. */
const SETTLE_MS = 500;

/** Tells the service manager what sd_notify(3) would: that the agent is ready, how it is, that it still runs, that it ends. */
export class Notify {
  readonly #socket: string | undefined;
  readonly #watchdogMs: number | undefined;
  readonly #closing = new AbortController();
  #status = "";

  /** Takes what is for this process out of the environment, so that no child speaks in its name. */
  constructor(environment: NodeJS.ProcessEnv) {
    const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID } = environment;
    for (const name of ["NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"]) delete environment[name];
    this.#socket = NOTIFY_SOCKET || undefined;
    const isOurs = WATCHDOG_PID === undefined || Number(WATCHDOG_PID) === process.pid;
    const watchdogMs = isOurs ? Number(WATCHDOG_USEC) / 1000 : Number.NaN;
    this.#watchdogMs = watchdogMs > 0 ? watchdogMs : undefined;
  }

  ready(core: Core): void {
    if (!this.#socket) return;
    this.#status = statusOf(core);
    this.#send(core, `READY=1\nMAINPID=${process.pid}\nSTATUS=${this.#status}`);
    if (this.#watchdogMs !== undefined) this.#watch(core, this.#watchdogMs / 2);
    void this.#follow(core);
  }

  stopping(core: Core): void {
    if (!this.#socket || this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#send(core, "STOPPING=1\nSTATUS=Taking back what is lent");
  }

  /** Twice as often as it must: an event loop that does not come round is one that cannot take anything back. */
  #watch(core: Core, everyMs: number): void {
    if (this.#closing.signal.aborted) return;
    this.#send(core, "WATCHDOG=1");
    core.clock.after(everyMs, () => this.#watch(core, everyMs));
  }

  async #follow(core: Core): Promise<void> {
    while (!this.#closing.signal.aborted) {
      await core.changed.next(this.#closing.signal);
      await new Promise<void>((resolve) => setTimeout(resolve, SETTLE_MS).unref());
      const status = statusOf(core);
      if (this.#closing.signal.aborted || status === this.#status) continue;
      this.#status = status;
      this.#send(core, `STATUS=${status}`);
    }
  }

  #send({ log }: Core, words: string): void {
    try {
      sendDatagram(this.#socket!, Buffer.from(words));
    } catch (cause) {
      log.warn({ cause }, "the service manager could not be told");
    }
  }
}

function statusOf(core: Core): string {
  const missing = notReady(core);
  const counts = { active: 0, revoking: 0, waiting: 0, offered: 0 };
  for (const { record } of core.ledger.live.values()) {
    const { state } = record;
    if (state in counts) counts[state as keyof typeof counts]++;
  }
  const lending = `Lending ${counts.active}, taking back ${counts.revoking}, ${counts.waiting} waiting`;
  return missing.length > 0 ? `${lending}; not ready: ${missing.join(", ")}` : lending;
}

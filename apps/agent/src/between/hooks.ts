import type { Hook, HookEvent } from "@lendbuf/config/hook-definitions";
import type { Live } from "../delegations/live.ts";
import type { Log } from "../log.ts";
import { type Outcome, runHook } from "./run-hook.ts";

/** What a hook is told of the delegation; kept for the next agent where this one does not come to the end of it. */
export interface Ended {
  delegation: number;
  buffer: string;
  device: string;
  account: string;
  access: string;
  reason: string | null;
}

export function endedOf({ record }: Live): Ended {
  const { id, buffer, device, account, access, reason } = record;
  return { delegation: id, buffer, device, account, access, reason };
}

const AT_ONCE = 4;

/** Runs the hooks of an event, one after the other; of all buffers together a few at a time. */
export class Hooks {
  readonly #definitions: readonly Hook[];
  readonly #log: Log;
  readonly #stop = new AbortController();
  readonly #waiting: (() => void)[] = [];
  readonly #underWay = new Set<Promise<Outcome>>();
  #running = 0;

  constructor(definitions: readonly Hook[], log: Log) {
    this.#definitions = definitions;
    this.#log = log;
  }

  /** Those that were running when it was closed are run again by the next agent. */
  get isClosed(): boolean {
    return this.#stop.signal.aborted;
  }

  of(event: HookEvent, { buffer, device }: { buffer: string; device: string }): Hook[] {
    return this.#definitions.filter((hook) => hook.on === event && (hook.buffer === buffer || hook.device === device));
  }

  /** `held`: why the buffer is to be held, if it is. */
  async run(event: HookEvent, about: Ended): Promise<{ outcomes: Outcome[]; held: string | null }> {
    const outcomes: Outcome[] = [];
    let held: string | null = null;
    for (const hook of this.of(event, about)) {
      const outcome = await this.#run(hook, factsOf(event, about));
      outcomes.push(outcome);
      if (outcome.problem === null || this.isClosed) continue;
      if (hook.failure !== "ignore") this.#log.warn({ ...about, event, ...outcome }, "hook failed");
      if (hook.failure === "hold") held ??= `the hook ${hook.name} (${event}) failed: ${outcome.problem}`;
    }
    return { outcomes, held };
  }

  /** Resolves when those that run have ended. */
  async close(): Promise<void> {
    this.#stop.abort();
    await Promise.all(this.#underWay);
  }

  async #run(hook: Hook, facts: Record<string, string>): Promise<Outcome> {
    await this.#enter();
    const run = runHook(hook, facts, this.#stop.signal);
    this.#underWay.add(run);
    try {
      return await run;
    } finally {
      this.#underWay.delete(run);
      this.#leave();
    }
  }

  async #enter(): Promise<void> {
    if (this.#running < AT_ONCE) this.#running++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve)); // whoever leaves hands its place on
  }

  #leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#running--;
  }
}

function factsOf(event: HookEvent, { delegation, buffer, device, account, access, reason }: Ended) {
  return {
    LENDBUF_EVENT: event,
    LENDBUF_DELEGATION: String(delegation),
    LENDBUF_BUFFER: buffer,
    LENDBUF_DEVICE: device,
    LENDBUF_ACCOUNT: account,
    LENDBUF_ACCESS: access,
    LENDBUF_REASON: reason ?? "",
  };
}

import { EventEmitter } from "node:events";
import { type Delegation, type Ending, isFinal } from "@lendbuf/shared/delegation";

/** What is told of a lease, with the delegation as it is since then. States that were overtaken are not seen, so neither are their events. */
export interface LeaseEvents {
  /** An end was announced: `now.ending` says when, and why. Again at each warning before it. */
  ending: [now: Delegation];
  /** Its end is later: `now.expiresAt`. */
  extended: [now: Delegation];
  /** The device took the memory away for now, or it is back. */
  suspended: [now: Delegation];
  resumed: [now: Delegation];
  /** Its end was decided: `now.reason`. */
  revoking: [now: Delegation];
  /** The kernel has confirmed that nobody reaches the memory: `now.proof`. Nothing follows. */
  revoked: [now: Delegation];
  /** Nothing more will be told: the connection to the agent is gone, and the memory with it unless it is kept; or the agent refuses. */
  lost: [last: Delegation, cause: unknown];
}
type StateEvent = Exclude<keyof LeaseEvents, "lost">;

/** What must have happened in between. */
export function eventsBetween(before: Delegation, now: Delegation): StateEvent[] {
  if (isFinal(now.state)) return ["revoked"];
  const events: StateEvent[] = [];
  if (now.state === "revoking" && before.state !== "revoking") events.push("revoking");
  if ((now.expiresAt ?? 0) > (before.expiresAt ?? 0)) events.push("extended");
  if (now.ending && !isSame(now.ending, before.ending)) events.push("ending");
  if (now.suspended !== before.suspended) events.push(now.suspended ? "suspended" : "resumed");
  return events;
}

/** A warning that comes again is one more. */
function isSame(now: Ending, before: Ending | null): boolean {
  return now.at === before?.at && now.reason === before.reason && now.told === before.told;
}

interface FollowerOptions {
  /** As of which the listeners know it. */
  delegation: Delegation;
  follow(signal: AbortSignal): AsyncIterable<Delegation>;
  onState(now: Delegation): void;
}

/** Follows a delegation for its listeners, by one subscription that the first of them begins. */
export class Follower {
  readonly #options: FollowerOptions;
  readonly #emitter = new EventEmitter<LeaseEvents>();
  readonly #stop = new AbortController();
  #isFollowing = false;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  on<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): void {
    this.#emitter.on(event, listener as never);
    this.#begin();
  }

  once<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): void {
    this.#emitter.once(event, listener as never);
    this.#begin();
  }

  off<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): void {
    this.#emitter.off(event, listener as never);
  }

  /** Idempotent. Nothing is told afterwards. */
  stop(): void {
    this.#emitter.removeAllListeners();
    this.#stop.abort();
  }

  #begin(): void {
    if (this.#isFollowing) return;
    this.#isFollowing = true;
    void this.#follow();
  }

  async #follow(): Promise<void> {
    let before = this.#options.delegation;
    try {
      for await (const now of this.#options.follow(this.#stop.signal)) {
        this.#options.onState(now);
        for (const event of eventsBetween(before, now)) this.#tell(event, now);
        before = now;
      }
    } catch (cause) {
      this.#tell("lost", before, cause); // after stop() nobody hears it
    }
  }

  /** Later, so that what a listener throws is an uncaught exception, as of any emitter, and not the end of the subscription. */
  #tell<E extends keyof LeaseEvents>(event: E, ...args: LeaseEvents[E]): void {
    process.nextTick(() => this.#emitter.emit(event, ...(args as never)));
  }
}

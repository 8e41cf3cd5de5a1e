import type { Input, Synced } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import { Closed, ConnectionLost } from "./errors.ts";
import { Follower, type LeaseEvents } from "./follower.ts";
import { Memory } from "./memory.ts";
import { milliseconds } from "./terms.ts";

type Part = Omit<Input<"delegations.sync">, "id" | "direction">;

/** What a lease asks of its agent. */
export interface LeaseCalls {
  giveBack(): Promise<Delegation>;
  get(): Promise<Delegation>;
  extend(byMs: number): Promise<Delegation>;
  sync(input: Input<"delegations.sync">): Promise<Synced>;
  /** The delegation now and after every change, until it has ended. */
  follow(signal: AbortSignal): AsyncIterable<Delegation>;
}

/** Memory that was lent to us; disposing of it gives the memory back. */
export class Lease extends Memory implements AsyncDisposable {
  readonly #calls: LeaseCalls;
  readonly #follower: Follower;

  constructor(claimed: { delegation: Delegation; size: number }, fd: number, calls: LeaseCalls) {
    super(claimed.delegation, claimed.size, fd);
    this.#calls = calls;
    this.#follower = new Follower({
      delegation: claimed.delegation,
      follow: calls.follow,
      onState: (now) => {
        this.latest = now;
      },
    });
  }

  /**
   * Has the listener told what becomes of the lease, from its claim on and until it is closed or released here; the first listener begins
   * a subscription. Throws Closed.
   */
  on<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): this {
    this.#refuseClosed(event);
    this.#follower.on(event, listener);
    return this;
  }

  /** Likewise, the first time alone. */
  once<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): this {
    this.#refuseClosed(event);
    this.#follower.once(event, listener);
    return this;
  }

  off<E extends keyof LeaseEvents>(event: E, listener: (...args: LeaseEvents[E]) => void): this {
    this.#follower.off(event, listener);
    return this;
  }

  /** The delegation as the agent has it now; accesses that fail know its reason from then on. */
  async now(): Promise<Delegation> {
    this.latest = await this.#calls.get();
    return this.latest;
  }

  /** Adds to what is left of the lease: "30m". Rejects with ENDED, NOT_ALLOWED (an end was announced) or LIMIT. */
  async extend(by: string): Promise<Delegation> {
    this.latest = await this.#calls.extend(milliseconds(by));
    return this.latest;
  }

  /** Of a staged one: copies between what is mapped here and the device, with accesses of the width (bits); all of it without an offset and length. */
  sync(direction: "from-device" | "to-device", part: Part = {}): Promise<Synced> {
    return this.#calls.sync({ id: this.delegation.id, direction, ...part });
  }

  override close(): void {
    this.#follower.stop();
    super.close();
  }

  /** Closes it and gives the memory back. */
  release(): Promise<Delegation> {
    this.close();
    return this.#calls.giveBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.release();
    } catch (error) {
      // With its connection everything goes back that is not kept.
      if (!(error instanceof ConnectionLost)) throw error;
    }
  }

  #refuseClosed(event: string): void {
    if (this.isClosed)
      throw new Closed(
        `"${event}" is told of a lease while it is open; that of delegation ${this.delegation.id} is closed.`,
      );
  }
}

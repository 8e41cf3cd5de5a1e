import type { Input, Synced } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import { ConnectionLost } from "./errors.ts";
import { Memory } from "./memory.ts";
import { milliseconds } from "./terms.ts";

type Part = Omit<Input<"delegations.sync">, "id" | "direction">;

/** What a lease asks of its agent. */
export interface LeaseCalls {
  giveBack(): Promise<Delegation>;
  get(): Promise<Delegation>;
  extend(byMs: number): Promise<Delegation>;
  sync(input: Input<"delegations.sync">): Promise<Synced>;
}

/** Memory that was lent to us; disposing of it gives the memory back. */
export class Lease extends Memory implements AsyncDisposable {
  readonly #calls: LeaseCalls;

  constructor(claimed: { delegation: Delegation; size: number }, fd: number, calls: LeaseCalls) {
    super(claimed.delegation, claimed.size, fd);
    this.#calls = calls;
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
}

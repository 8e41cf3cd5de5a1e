import { closeSync } from "node:fs";
import { Mapping } from "@lendbuf/native/addon";
import type { Input, Synced } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";

type Part = Omit<Input<"delegations.sync">, "id" | "direction">;

/** What a lease asks of its agent. */
export interface LeaseCalls {
  giveBack(): Promise<Delegation>;
  sync(input: Input<"delegations.sync">): Promise<Synced>;
}

/** Memory that was lent to us. Owns the descriptor and every mapping made of it; disposing of it gives the memory back. */
export class Lease implements AsyncDisposable {
  /** As it was when it was claimed; `delegations.follow` tells what becomes of it. */
  readonly delegation: Delegation;
  /** Bytes. */
  readonly size: number;
  readonly #calls: LeaseCalls;
  readonly #mappings = new Set<Mapping>();
  #fd: number | undefined;

  constructor(claimed: { delegation: Delegation; size: number }, fd: number, calls: LeaseCalls) {
    this.delegation = claimed.delegation;
    this.size = claimed.size;
    this.#fd = fd;
    this.#calls = calls;
  }

  /** For passing on. Stays the lease's to close. */
  get fd(): number {
    if (this.#fd === undefined) throw new Error(`The lease of delegation ${this.delegation.id} is closed.`);
    return this.#fd;
  }

  /** All of it; writable where the delegation is. Each access throws EFAULT once the memory was taken back. */
  map({ writable = this.delegation.access === "read-write" }: { writable?: boolean } = {}): Mapping {
    const mapping = new Mapping(this.fd, { length: this.size, writable });
    this.#mappings.add(mapping);
    return mapping;
  }

  /** Of a staged one: copies between what is mapped here and the device, with accesses of the width (bits); all of it without an offset and length. */
  sync(direction: "from-device" | "to-device", part: Part = {}): Promise<Synced> {
    return this.#calls.sync({ id: this.delegation.id, direction, ...part });
  }

  /** Closes the descriptor and the mappings here; the delegation goes on. Idempotent. */
  close(): void {
    for (const mapping of this.#mappings) mapping.close();
    this.#mappings.clear();
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  /** Closes it and gives the memory back. */
  release(): Promise<Delegation> {
    this.close();
    return this.#calls.giveBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

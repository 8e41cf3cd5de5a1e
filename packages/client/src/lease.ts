import { closeSync } from "node:fs";
import { Mapping } from "@lendbuf/native/addon";
import type { Delegation } from "@lendbuf/shared/delegation";

/** Memory that was lent to us. Owns the descriptor and every mapping made of it; disposing of it gives the memory back. */
export class Lease implements AsyncDisposable {
  /** As it was when it was claimed; `delegations.follow` tells what becomes of it. */
  readonly delegation: Delegation;
  /** Bytes. */
  readonly size: number;
  readonly #giveBack: () => Promise<Delegation>;
  readonly #mappings = new Set<Mapping>();
  #fd: number | undefined;

  constructor(claimed: { delegation: Delegation; size: number }, fd: number, giveBack: () => Promise<Delegation>) {
    this.delegation = claimed.delegation;
    this.size = claimed.size;
    this.#fd = fd;
    this.#giveBack = giveBack;
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
    return this.#giveBack();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}

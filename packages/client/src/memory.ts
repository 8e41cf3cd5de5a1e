import { closeSync } from "node:fs";
import { isSystemError, Mapping } from "@lendbuf/native/addon";
import type { Delegation } from "@lendbuf/shared/delegation";
import { lossOf } from "./endings.ts";
import { Closed, NotMappable, ReadOnly } from "./errors.ts";

/**
 * Memory that was lent to us. Owns the descriptor and every mapping made of it.
 * Offsets and lengths are bytes. Accesses throw Revoked once the memory was taken back, Suspended while its device is known to be,
 * NotMappable where this kernel maps no such export, ReadOnly, Closed, and RangeError outside of it.
 */
export class Memory {
  /** As it was when it was claimed. */
  readonly delegation: Delegation;
  /** Bytes. */
  readonly size: number;
  /** As the agent last described it. */
  protected latest: Delegation;
  readonly #mappings = new Set<Mapping>();
  #own: Mapping | undefined;
  #fd: number | undefined;

  constructor(delegation: Delegation, size: number, fd: number) {
    this.delegation = delegation;
    this.latest = delegation;
    this.size = size;
    this.#fd = fd;
  }

  get isClosed(): boolean {
    return this.#fd === undefined;
  }

  /** For passing on. Stays the lease's to close. */
  get fd(): number {
    if (this.#fd === undefined) throw new Closed(`The lease of delegation ${this.delegation.id} is closed.`);
    return this.#fd;
  }

  /** All of it; writable where the delegation is. Each access of the mapping throws EFAULT once the memory was taken back. */
  map({ writable = this.delegation.access === "read-write" }: { writable?: boolean } = {}): Mapping {
    const mapping = new Mapping(this.fd, { length: this.size, writable });
    this.#mappings.add(mapping);
    return mapping;
  }

  /** A copy. How wide the accesses are is not promised: registers need loads and stores. */
  read(offset = 0, length = this.size - offset): Uint8Array {
    this.#check(offset, length); // nothing is allocated for what cannot be read
    const bytes = new Uint8Array(length);
    this.#access((mapping) => mapping.read(offset, bytes));
    return bytes;
  }

  /** Fills bytes that are there already, which for large reads is several times faster. Where it throws, part may be filled. */
  readInto(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.byteLength);
    this.#access((mapping) => mapping.read(offset, bytes));
  }

  /** Where it throws, part may be written. */
  write(offset: number, bytes: Uint8Array): void {
    this.#check(offset, bytes.byteLength);
    this.#access((mapping) => mapping.write(offset, bytes));
  }

  /** Each load and store is one access of so many bits, at a multiple of its width. */
  load8(offset: number): number {
    return this.#access((mapping) => mapping.load(offset, 8));
  }

  load16(offset: number): number {
    return this.#access((mapping) => mapping.load(offset, 16));
  }

  load32(offset: number): number {
    return this.#access((mapping) => mapping.load(offset, 32));
  }

  load64(offset: number): bigint {
    return this.#access((mapping) => mapping.load(offset, 64));
  }

  store8(offset: number, value: number): void {
    this.#access((mapping) => mapping.store(offset, 8, value));
  }

  store16(offset: number, value: number): void {
    this.#access((mapping) => mapping.store(offset, 16, value));
  }

  store32(offset: number, value: number): void {
    this.#access((mapping) => mapping.store(offset, 32, value));
  }

  store64(offset: number, value: bigint): void {
    this.#access((mapping) => mapping.store(offset, 64, value));
  }

  /** Closes the descriptor and the mappings here; the delegation goes on. Idempotent. */
  close(): void {
    for (const mapping of this.#mappings) mapping.close();
    this.#mappings.clear();
    this.#own = undefined;
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }

  #access<T>(use: (mapping: Mapping) => T): T {
    const mapping = this.#mapped();
    try {
      return use(mapping);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      if (error.code === "EFAULT") throw lossOf(this.latest, error);
      if (error.code === "EACCES") throw new ReadOnly(this.delegation.buffer, error);
      throw error;
    }
  }

  #mapped(): Mapping {
    if (this.#own) return this.#own;
    try {
      this.#own = this.map();
      return this.#own;
    } catch (error) {
      if (!isSystemError(error)) throw error;
      // A vfio-pci export that was revoked before it was mapped answers the same as one that cannot be mapped at all.
      if (this.latest.state !== "active" || this.latest.suspended) throw lossOf(this.latest, error);
      throw new NotMappable(this.delegation, error);
    }
  }

  #check(offset: number, length: number): void {
    const isWithin = Number.isSafeInteger(offset) && offset >= 0 && Number.isSafeInteger(length) && length >= 0;
    if (isWithin && offset + length <= this.size) return;
    throw new RangeError(`${length} bytes at ${offset} do not lie within the ${this.size} bytes that are lent.`);
  }
}

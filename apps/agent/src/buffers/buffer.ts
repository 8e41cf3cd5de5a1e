import type { BufferDefinition } from "@lendbuf/shared/buffer";
import { sizeOf } from "@lendbuf/shared/buffer";
import type { Share, State } from "@lendbuf/shared/delegation";
import type { Device } from "../devices/device.ts";

/** What a buffer knows of the delegations that have it or wait for it. */
export interface Occupant {
  readonly record: {
    readonly share: Share;
    readonly state: State;
    readonly leaseMs: number;
    readonly offerMs: number;
    readonly offerEndsAt: number | null;
    readonly expiresAt: number | null;
  };
}

/** A lendable buffer, who has it, and who is in line. */
export class Buffer<Holder extends Occupant = Occupant> {
  readonly definition: BufferDefinition;
  readonly device: Device;
  readonly builtin: boolean;
  readonly size: number;
  readonly occupants = new Set<Holder>();
  /** In order of arrival. */
  readonly queue: Holder[] = [];
  /** Counts what changes about those. */
  changes = 0;

  constructor(definition: BufferDefinition, device: Device, builtin: boolean) {
    this.definition = definition;
    this.device = device;
    this.builtin = builtin;
    this.size = sizeOf(definition.ranges);
  }

  get name(): string {
    return this.definition.name;
  }

  /** Whether it makes way for one that somebody defines over it. */
  get yields(): boolean {
    return this.builtin && this.device.kind.buffersYield && this.occupants.size + this.queue.length === 0;
  }

  /** Whether one more may have it beside those who have it now. */
  admits(share: Share): boolean {
    const [first] = this.occupants; // who shares is only ever beside others who share
    return first === undefined || (share === "shared" && first.record.share === "shared");
  }
}

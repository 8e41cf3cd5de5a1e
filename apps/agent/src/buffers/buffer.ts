import type { BufferDefinition, Hold } from "@lendbuf/shared/buffer";
import { sizeOf } from "@lendbuf/shared/buffer";
import type { Device } from "../devices/device.ts";

/** What a buffer knows of the delegations that have it or wait for it. */
export interface Occupant {
  readonly record: { readonly share: "exclusive" | "shared" };
}

/** A lendable buffer, who has it, and who is in line. */
export class Buffer<Holder extends Occupant = Occupant> {
  readonly definition: BufferDefinition;
  readonly device: Device;
  readonly builtin: boolean;
  readonly size: number;
  readonly occupants = new Set<Holder>();
  /** What keeps it from the next borrower though nobody has it. */
  readonly between: { doing: string | null; hold: Hold | null } = { doing: null, hold: null };
  /** In order of arrival. */
  readonly queue: Holder[] = [];

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

  get isWithheld(): boolean {
    return this.between.doing !== null || this.between.hold !== null;
  }

  /** Whether one more may have it beside those who have it now. */
  admits(share: "exclusive" | "shared"): boolean {
    if (this.isWithheld) return false;
    const [first] = this.occupants; // who shares is only ever beside others who share
    return first === undefined || (share === "shared" && first.record.share === "shared");
  }
}

import type { BufferDefinition, Hold } from "@lendbuf/shared/buffer";
import { sizeOf } from "@lendbuf/shared/buffer";
import type { Share, State } from "@lendbuf/shared/delegation";
import type { Device } from "../devices/device.ts";
import { type Ahead, canShare } from "./ahead.ts";

/** What a buffer knows of the delegations that have it or wait for it. */
export interface Occupant {
  readonly record: {
    readonly account: string;
    readonly share: Share;
    readonly state: State;
    readonly leaseMs: number;
    readonly offerMs: number;
    readonly offerEndsAt: number | null;
    readonly expiresAt: number | null;
    readonly until: number | null;
    readonly shorten: boolean;
  };
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
  /** Who is next comes first. */
  readonly queue: Holder[] = [];
  /** Counts what changes about those. */
  changes = 0;
  /** Somebody in line has had the end of those who have it announced. */
  isPreempted = false;

  readonly #ahead: ReadonlyMap<string, readonly Ahead[]>;

  constructor(
    definition: BufferDefinition,
    device: Device,
    builtin: boolean,
    ahead: ReadonlyMap<string, readonly Ahead[]> = new Map(),
  ) {
    this.#ahead = ahead;
    this.definition = definition;
    this.device = device;
    this.builtin = builtin;
    this.size = sizeOf(definition.ranges);
  }

  get name(): string {
    return this.definition.name;
  }

  /** By their beginnings. */
  get reservations(): readonly Ahead[] {
    return this.#ahead.get(this.name) ?? NONE;
  }

  /** How many have it, wait for it or have reserved it. */
  get users(): number {
    return this.occupants.size + this.queue.length + this.reservations.length;
  }

  /** Whether it makes way for one that somebody defines over it. */
  get yields(): boolean {
    return this.builtin && this.device.kind.buffersYield && this.users === 0;
  }

  get isWithheld(): boolean {
    return this.between.doing !== null || this.between.hold !== null;
  }

  /** Whether one more may have it beside those who have it now. */
  admits(share: Share): boolean {
    if (this.isWithheld) return false;
    const [first] = this.occupants; // who shares is only ever beside others who share
    return first === undefined || canShare(share, first.record.share);
  }
}

const NONE: readonly Ahead[] = [];

import type { Share, State } from "./delegation.ts";

/** Part of a region, in bytes; both page-aligned. */
export interface Range {
  offset: number;
  length: number;
}

export const PAGE_SIZE = 4096;
export const MAX_RANGES = 16;
export const BUFFER_NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]*(\/[A-Za-z0-9][A-Za-z0-9._:-]*)*$/;
export const MAX_NAME_LENGTH = 128;
export const TAG = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/;
export const MAX_TAG_LENGTH = 32;
export const MAX_TAGS = 8;

/** What happens to the contents before the next borrower sees them. */
export type Scrub = "none" | "zero" | Pattern;

/** A word to be written all over, with accesses of its width. */
export interface Pattern {
  /** `0x` and up to the width's hexadecimal digits. */
  pattern: string;
  width: Width;
}

/** Why a buffer is lent to nobody though nobody has it. */
export interface Hold {
  /** In words for people. */
  reason: string;
  /** Wall-clock milliseconds. */
  since: number;
}

/** A named, lendable set of ranges of one region of a device. */
export interface BufferDefinition {
  name: string;
  device: string;
  /** VFIO region index; BARs are 0–5. */
  region: number;
  ranges: Range[];
  /** `exclusive`: may have one writer, so no other buffer may overlap it. `shared`: only ever read. */
  share: Share;
  scrub: Scrub;
  description: string;
  /** By which people find, and panic ends, what belongs together. */
  tags: string[];
}

/** Who has a buffer right now. */
export interface Occupancy {
  name: string;
  /** `preparing`: it is scrubbed, its device is reset or a hook runs; `held`: one of these failed. */
  state: "free" | "offered" | "lent" | "revoking" | "preparing" | "held" | "lost";
  /** The delegations that occupy it and that the caller may see. */
  current: { id: number; account: string; state: State; share: Share; expiresAt: number | null }[];
  /** How many occupy it, seen or not. */
  occupied: number;
  /** How many wait in line. */
  waiting: number;
  /** Until an operator lifts it; null: none. */
  held: Hold | null;
}

/** A buffer as lists show it. */
export interface BufferView extends BufferDefinition, Occupancy {
  /** Bytes: the sum of its ranges. */
  size: number;
  /** Comes with the device; cannot be removed. */
  builtin: boolean;
}

/** A copy of part of a buffer's memory as it was at one moment. */
export interface Contents {
  offset: number;
  /** Base64. */
  bytes: string;
  /** Wall-clock milliseconds. */
  at: number;
}

/** In bits, of one access. */
export const WIDTHS = [8, 16, 32, 64] as const;
export type Width = (typeof WIDTHS)[number];

/** Words of a buffer's memory, each read from the device with one access of its width. */
export interface Peeked {
  /** Of the first. */
  offset: number;
  width: Width;
  /** `0x` and the width's hexadecimal digits. */
  values: string[];
  /** Wall-clock milliseconds. */
  at: number;
}

/** A word that was written to the device with one access of its width. */
export interface Poked {
  offset: number;
  width: Width;
  /** `0x` and the width's hexadecimal digits. */
  value: string;
  /** Who had the buffer at that moment, the first ten: they find what was written. */
  lentTo: { id: number; account: string }[];
  /** Wall-clock milliseconds. */
  at: number;
}

/** "0x0000abcd": all digits of the width. */
export function hexOf(value: bigint, width: Width): string {
  return `0x${value.toString(16).padStart(width / 4, "0")}`;
}

export function sizeOf(ranges: readonly Range[]): number {
  return ranges.reduce((size, range) => size + range.length, 0);
}

export function overlaps(one: readonly Range[], other: readonly Range[]): boolean {
  return one.some((a) => other.some((b) => a.offset < b.offset + b.length && b.offset < a.offset + a.length));
}

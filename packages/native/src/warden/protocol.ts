// The packets of protocol.h, for the agent. Pure functions; integers are little-endian, ids and offsets are safe integers.

export const VERSION = 5;
export const MAX_PACKET = 65_536;
export const MAX_RANGES = 16;
/** In one REVOKE. */
export const MAX_IDS = 4096;
/** In one REVOKED. */
export const MAX_REVOKED_ENTRIES = 2047;

export const TYPES = {
  ready: 1,
  export: 2,
  exported: 3,
  revoke: 4,
  revoked: 5,
  lost: 6,
  access: 7,
  done: 8,
  sync: 9,
  suspend: 10,
  scrub: 11,
  reset: 12,
  // Of adoption-protocol.ts:
  wait: 32,
  deadline: 33,
  adopt: 34,
  adopted: 35,
  held: 36,
} as const;
export const METHODS = [
  null,
  "dma-buf-revoke",
  "vfio-feature-revoke",
  "ftruncate",
  "device-close",
  "never-exported",
  "last-reference",
  "ended-before",
] as const;
export const SCOPES = ["none", "buffer", "device"] as const;
/** Exporters. */
export const KINDS = [null, "memfd", "vfio", "staged", "udmabuf", "dma-heap"] as const;
/** How a VFIO device was opened. */
export const ACCESSES = ["none", "cdev", "group"] as const;
/** Why a region cannot be lent; null: it can, but for what is withheld. */
export const UNLENDABLES = [null, "io-ports", "unassigned", "msix-table", "sub-page"] as const;
export const FLAGS = { readOnly: 1, deviceWide: 1 } as const;
export const REGION_FLAGS = { readable: 1, writable: 2, mappable: 4 } as const;
/** Of the structs in protocol.h, in bytes. */
export const SIZES = {
  header: 8,
  region: 40,
  exporter: 24,
  rung: 16,
  ready: 24,
  range: 16,
  export: 32,
  exported: 24,
  revoke: 16,
  revokedEntry: 32,
  revoked: 16,
  registerAccess: 40,
  sync: 40,
  suspend: 16,
  scrub: 32,
  reset: 8,
  done: 24,
} as const;

export type Method = (typeof METHODS)[number];
export type Scope = (typeof SCOPES)[number];

export type Kind = (typeof KINDS)[number];
export type Access = (typeof ACCESSES)[number];
export type Unlendable = (typeof UNLENDABLES)[number];

export interface Region {
  index: number;
  size: number;
  readable: boolean;
  writable: boolean;
  mappable: boolean;
  unlendable: Unlendable;
  /** The pages of the MSI-X table, which are never lent. */
  withheld: { offset: number; length: number } | null;
}

/** One rung of the revocation ladder, as its self-test found it. */
export interface Rung {
  method: Method;
  scope: Scope;
  works: boolean;
  /** The errno that decided against it; 0: it works, or its words say what speaks against it. */
  error: number;
  words: string;
}

/** One way to lend the device's memory, as its self-test found it. */
export interface Exporter {
  kind: Kind;
  works: boolean;
  /** Of the best rung that works. */
  method: Method;
  scope: Scope;
  /** A client can mmap an export; else devices can import it, no more. */
  mappable: boolean;
  words: string;
  /** Best first. */
  rungs: Rung[];
}

export interface ExportPacket {
  serial: number;
  kind: Kind;
  /** Above all ids that this warden has exported before. */
  id: number;
  region: number;
  /** At most MAX_RANGES. */
  ranges: readonly { offset: number; length: number }[];
  readOnly: boolean;
}

/** One load or store of the device itself, of exactly this width. */
export interface AccessPacket {
  serial: number;
  region: number;
  /** In the region; a multiple of the width. */
  offset: number;
  /** Bits: 8, 16, 32 or 64. */
  width: number;
  /** What to store; null loads. */
  value: bigint | null;
}

/** A copy between a staged export's window and the device, with accesses of exactly this width. */
export interface SyncPacket {
  serial: number;
  id: number;
  /** In the export; like the length a multiple of the width. */
  offset: number;
  length: number;
  /** Bits: 8, 16, 32 or 64. */
  width: number;
  toDevice: boolean;
}

/** A word that is written all over the ranges, with accesses of exactly this width. */
export interface ScrubPacket {
  serial: number;
  region: number;
  /** At most MAX_RANGES. */
  ranges: readonly { offset: number; length: number }[];
  word: bigint;
  /** Bits: 8, 16, 32 or 64. */
  width: number;
}

export interface RevokedEntry {
  id: number;
  /** From the revoke's call to its return. */
  durationUs: number;
  method: Method;
  /** The kernel's errno; 0: done. */
  error: number;
  /** Proven: no holder reaches the memory through this export any more. */
  safe: boolean;
  /** `ftruncate`: the size seen afterwards; `last-reference`: how many others there are; else the errno that a fresh mmap met, 0: it succeeded. */
  probe: number;
}

export type WardenPacket =
  | {
      type: "ready";
      version: number;
      access: Access;
      regions: Region[];
      /** The one to be preferred first. */
      exporters: Exporter[];
    }
  /** `error` is an errno, and `words` say why; 0: the packet carries one fd. */
  | { type: "exported"; serial: number; id: number; error: number; words: string }
  | { type: "revoked"; serial: number; entries: RevokedEntry[] }
  /** `error` is an errno, and `words` say why; 0: it was done, and `value` is what was loaded, or how many bytes were read back. */
  | { type: "done"; serial: number; error: number; value: bigint; words: string }
  | { type: "lost"; words: string };

export function encodeExport(request: ExportPacket): Uint8Array {
  const { ranges } = request;
  const bytes = Buffer.alloc(SIZES.export + ranges.length * SIZES.range);
  bytes.writeUInt32LE(TYPES.export, 0);
  bytes.writeUInt32LE(request.serial, 4);
  writeUint64(bytes, request.id, 8);
  bytes.writeUInt32LE(request.region, 16);
  bytes.writeUInt32LE(request.readOnly ? FLAGS.readOnly : 0, 20);
  bytes.writeUInt32LE(ranges.length, 24);
  bytes.writeUInt32LE(KINDS.indexOf(request.kind), 28);
  writeRanges(bytes, ranges, SIZES.export);
  return bytes;
}

/** Of 1 to MAX_IDS ids. `deviceWide`: exports that are not named may end too, where a revoke gives up the device. */
export function encodeRevoke(serial: number, ids: readonly number[], deviceWide = false): Uint8Array {
  const bytes = Buffer.alloc(SIZES.revoke + ids.length * 8);
  bytes.writeUInt32LE(TYPES.revoke, 0);
  bytes.writeUInt32LE(serial, 4);
  bytes.writeUInt32LE(ids.length, 8);
  bytes.writeUInt32LE(deviceWide ? FLAGS.deviceWide : 0, 12);
  let at: number = SIZES.revoke;
  for (const id of ids) {
    writeUint64(bytes, id, at);
    at += 8;
  }
  return bytes;
}

export function encodeAccess({ serial, region, offset, width, value }: AccessPacket): Uint8Array {
  const bytes = Buffer.alloc(SIZES.registerAccess);
  bytes.writeUInt32LE(TYPES.access, 0);
  bytes.writeUInt32LE(serial, 4);
  writeUint64(bytes, offset, 8);
  bytes.writeBigUInt64LE(value ?? 0n, 16);
  bytes.writeUInt32LE(region, 24);
  bytes.writeUInt32LE(width, 28);
  bytes.writeUInt32LE(value === null ? 0 : 1, 32);
  return bytes;
}

export function encodeSync({ serial, id, offset, length, width, toDevice }: SyncPacket): Uint8Array {
  const bytes = Buffer.alloc(SIZES.sync);
  bytes.writeUInt32LE(TYPES.sync, 0);
  bytes.writeUInt32LE(serial, 4);
  writeUint64(bytes, id, 8);
  writeUint64(bytes, offset, 16);
  writeUint64(bytes, length, 24);
  bytes.writeUInt32LE(width, 32);
  bytes.writeUInt32LE(toDevice ? 1 : 0, 36);
  return bytes;
}

/** Takes the device's memory from everybody for now; else gives it back. */
export function encodeSuspend(serial: number, suspend: boolean): Uint8Array {
  const bytes = Buffer.alloc(SIZES.suspend);
  bytes.writeUInt32LE(TYPES.suspend, 0);
  bytes.writeUInt32LE(serial, 4);
  bytes.writeUInt32LE(suspend ? 1 : 0, 8);
  return bytes;
}

export function encodeScrub({ serial, region, ranges, word, width }: ScrubPacket): Uint8Array {
  const bytes = Buffer.alloc(SIZES.scrub + ranges.length * SIZES.range);
  bytes.writeUInt32LE(TYPES.scrub, 0);
  bytes.writeUInt32LE(serial, 4);
  bytes.writeBigUInt64LE(word, 8);
  bytes.writeUInt32LE(region, 16);
  bytes.writeUInt32LE(ranges.length, 20);
  bytes.writeUInt32LE(width, 24);
  writeRanges(bytes, ranges, SIZES.scrub);
  return bytes;
}

export function encodeReset(serial: number): Uint8Array {
  const bytes = Buffer.alloc(SIZES.reset);
  bytes.writeUInt32LE(TYPES.reset, 0);
  bytes.writeUInt32LE(serial, 4);
  return bytes;
}

/** Throws a RangeError where the packet is too short, and an Error where its type is none of the warden's. */
export function decode(packet: Uint8Array): WardenPacket {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const type = bytes.readUInt32LE(0);
  switch (type) {
    case TYPES.exported:
      return decodeExported(bytes);
    case TYPES.revoked:
      return decodeRevoked(bytes);
    case TYPES.done:
      return decodeDone(bytes);
    case TYPES.ready:
      return decodeReady(bytes);
    case TYPES.lost:
      return { type: "lost", words: bytes.toString("utf8", SIZES.header) };
    default:
      throw new Error(`The warden sent a packet of unknown type ${type}: it and the agent are of different builds`);
  }
}

function decodeReady(bytes: Buffer): WardenPacket {
  const exportersStart = SIZES.ready + bytes.readUInt32LE(12) * SIZES.region;
  const rungsStart = exportersStart + bytes.readUInt32LE(16) * SIZES.exporter;
  const regions: Region[] = [];
  for (let at: number = SIZES.ready; at < exportersStart; at += SIZES.region) regions.push(decodeRegion(bytes, at));
  const exporters: Exporter[] = [];
  let at = rungsStart;
  for (let own = exportersStart; own < rungsStart; own += SIZES.exporter) {
    const exporter = decodeExporter(bytes, own);
    for (const end = at + bytes.readUInt32LE(own + 20) * SIZES.rung; at < end; at += SIZES.rung)
      exporter.rungs.push(decodeRung(bytes, at));
    exporters.push(exporter);
  }
  const texts = bytes.toString("utf8", at).split("\0");
  for (const one of [...exporters, ...exporters.flatMap(({ rungs }) => rungs)]) one.words = texts.shift() ?? "";
  const access = ACCESSES[bytes.readUInt32LE(20)] ?? "none";
  return { type: "ready", version: bytes.readUInt32LE(8), access, regions, exporters };
}

function decodeExporter(bytes: Buffer, at: number): Exporter {
  return {
    kind: KINDS[bytes.readUInt32LE(at)] ?? null,
    works: bytes.readUInt32LE(at + 4) !== 0,
    method: METHODS[bytes.readUInt32LE(at + 8)] ?? null,
    scope: SCOPES[bytes.readUInt32LE(at + 12)] ?? "none",
    mappable: bytes.readUInt32LE(at + 16) !== 0,
    words: "",
    rungs: [],
  };
}

function decodeRung(bytes: Buffer, at: number): Rung {
  return {
    method: METHODS[bytes.readUInt32LE(at)] ?? null,
    scope: SCOPES[bytes.readUInt32LE(at + 4)] ?? "none",
    works: bytes.readUInt32LE(at + 8) !== 0,
    error: bytes.readInt32LE(at + 12),
    words: "",
  };
}

function decodeRegion(bytes: Buffer, at: number): Region {
  const flags = bytes.readUInt32LE(at + 4);
  const withheld = { offset: readUint64(bytes, at + 24), length: readUint64(bytes, at + 32) };
  return {
    index: bytes.readUInt32LE(at),
    size: readUint64(bytes, at + 8),
    readable: (flags & REGION_FLAGS.readable) !== 0,
    writable: (flags & REGION_FLAGS.writable) !== 0,
    mappable: (flags & REGION_FLAGS.mappable) !== 0,
    unlendable: UNLENDABLES[bytes.readUInt32LE(at + 16)] ?? null,
    withheld: withheld.length > 0 ? withheld : null,
  };
}

function decodeExported(bytes: Buffer): WardenPacket {
  return {
    type: "exported",
    serial: bytes.readUInt32LE(4),
    id: readUint64(bytes, 8),
    error: bytes.readInt32LE(16),
    words: bytes.length > SIZES.exported ? bytes.toString("utf8", SIZES.exported) : "",
  };
}

function decodeDone(bytes: Buffer): WardenPacket {
  return {
    type: "done",
    serial: bytes.readUInt32LE(4),
    value: bytes.readBigUInt64LE(8),
    error: bytes.readInt32LE(16),
    words: bytes.toString("utf8", SIZES.done),
  };
}

function decodeRevoked(bytes: Buffer): WardenPacket {
  const entries: RevokedEntry[] = [];
  const end = SIZES.revoked + bytes.readUInt32LE(8) * SIZES.revokedEntry;
  for (let at: number = SIZES.revoked; at < end; at += SIZES.revokedEntry) {
    entries.push({
      id: readUint64(bytes, at),
      durationUs: readUint64(bytes, at + 8) / 1000,
      method: METHODS[bytes.readUInt32LE(at + 16)] ?? null,
      error: bytes.readInt32LE(at + 20),
      safe: bytes.readUInt32LE(at + 24) !== 0,
      probe: bytes.readInt32LE(at + 28),
    });
  }
  return { type: "revoked", serial: bytes.readUInt32LE(4), entries };
}

function readUint64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + bytes.readUInt32LE(at + 4) * 2 ** 32;
}

function writeUint64(bytes: Buffer, value: number, at: number): void {
  bytes.writeUInt32LE(value % 2 ** 32, at);
  bytes.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

function writeRanges(bytes: Buffer, ranges: ExportPacket["ranges"], start: number): void {
  let at = start;
  for (const { offset, length } of ranges) {
    writeUint64(bytes, offset, at);
    writeUint64(bytes, length, at + 8);
    at += SIZES.range;
  }
}

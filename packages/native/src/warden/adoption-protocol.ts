// The packets of adoption_protocol.h, for the agent. Pure functions.
import { TYPES, VERSION } from "./protocol.ts";

export const SECRET_SIZE = 32;
/** Of the structs in adoption_protocol.h, in bytes. */
export const ADOPTION_SIZES = { wait: 48, deadline: 24, adopt: 48, adopted: 32, held: 32 } as const;

const NS_PER_MS = 1e6;

export interface HeldPacket {
  type: "held";
  id: number;
  /** Milliseconds of the boot clock; null: none was told. */
  deadlineMs: number | null;
  /** An errno; 0: the packet carries the export's fd. */
  error: number;
  /** A revoke of it is under way. */
  isRevoking: boolean;
}

export type AdoptionPacket =
  | {
      type: "adopted";
      /** Export id that was used; 0: none. */
      highest: number;
      /** Helds that follow. */
      count: number;
      /** Highest that an agent has used. */
      serial: number;
      isSuspended: boolean;
    }
  | HeldPacket;

/** Whether, and how long, to wait for another agent; 0: not at all. */
export function encodeWait(serial: number, ms: number, secret: Uint8Array): Uint8Array {
  const bytes = Buffer.alloc(ADOPTION_SIZES.wait);
  bytes.writeUInt32LE(TYPES.wait, 0);
  bytes.writeUInt32LE(serial, 4);
  bytes.writeUInt32LE(ms, 8);
  bytes.set(secret.subarray(0, SECRET_SIZE), 16);
  return bytes;
}

/** `atMs` in milliseconds of the boot clock. */
export function encodeDeadline(serial: number, id: number, atMs: number): Uint8Array {
  const bytes = Buffer.alloc(ADOPTION_SIZES.deadline);
  bytes.writeUInt32LE(TYPES.deadline, 0);
  bytes.writeUInt32LE(serial, 4);
  bytes.writeBigUInt64LE(BigInt(id), 8);
  bytes.writeBigUInt64LE(BigInt(Math.ceil(atMs * NS_PER_MS)), 16);
  return bytes;
}

/** `dismiss`: the warden is to revoke everything and go. */
export function encodeAdopt(secret: Uint8Array, dismiss: boolean, version: number = VERSION): Uint8Array {
  const bytes = Buffer.alloc(ADOPTION_SIZES.adopt);
  bytes.writeUInt32LE(TYPES.adopt, 0);
  bytes.writeUInt32LE(version, 8);
  bytes.writeUInt32LE(dismiss ? 1 : 0, 12);
  bytes.set(secret.subarray(0, SECRET_SIZE), 16);
  return bytes;
}

/** Undefined where it is a packet of protocol.h. Throws a RangeError where it is too short. */
export function decodeAdoption(packet: Uint8Array): AdoptionPacket | undefined {
  const bytes = Buffer.from(packet.buffer, packet.byteOffset, packet.byteLength);
  const type = bytes.readUInt32LE(0);
  if (type === TYPES.adopted) {
    return {
      type: "adopted",
      highest: Number(bytes.readBigUInt64LE(8)),
      count: bytes.readUInt32LE(16),
      serial: bytes.readUInt32LE(20),
      isSuspended: bytes.readUInt32LE(24) !== 0,
    };
  }
  if (type !== TYPES.held) return undefined;
  const deadlineNs = bytes.readBigUInt64LE(16);
  return {
    type: "held",
    id: Number(bytes.readBigUInt64LE(8)),
    deadlineMs: deadlineNs === 0n ? null : Number(deadlineNs) / NS_PER_MS,
    error: bytes.readInt32LE(24),
    isRevoking: bytes.readUInt32LE(28) !== 0,
  };
}

// What JavaScript may call of the addon, typed. Each failed system call throws a SystemError.
import { createRequire } from "node:module";
import { addonPath } from "./build.ts";

/** `code` is the errno's name as the kernel's headers have it ("EBADFD"), `errno` its number (positive), `syscall` the call that answered it. */
export interface SystemError extends Error {
  code: string;
  errno: number;
  syscall: string;
}

export interface Peer {
  pid: number;
  uid: number;
  gid: number;
}

export interface PacketHandlers<Data extends string | Uint8Array> {
  /** `fds` are the callee's to close; always empty unless `acceptFds` was set. */
  onPacket(data: Data, fds: number[]): void;
  /**
   * Once, last. Without an error: the peer closed its end or died, and all that it had sent was delivered before.
   * Codes of our own making: EPROTO (fds where none belong, more than 16 or than we have room for, an empty packet), EMSGSIZE (packet too long);
   * with these two a last packet can be sent from here, which says why.
   */
  onClose(error?: SystemError): void;
  /** Everything that was queued has been sent. */
  onDrain?(): void;
}

/** A connected SOCK_SEQPACKET socket on this thread's event loop. Owns its descriptor; once started it lives until it is closed. */
export interface PacketSocket {
  /** Of a connection to or from a path (SO_PEERCRED: as of connect or listen); on a pair it is ourselves. */
  readonly peer: Peer;
  /** A fresh pidfd of the peer (SO_PEERPIDFD, Linux 6.5), the caller's to close. ENOPROTOOPT on older kernels, ESRCH where it was reaped. */
  peerPidfd(): number;
  /** The supplementary groups of the peer, by number (SO_PEERGROUPS, Linux 4.13), as of connect or listen; its own group is `peer.gid`. */
  peerGroups(): number[];
  /** Begins to read: text packets as strings (invalid UTF-8 becomes U+FFFD). `acceptFds` false: a packet with fds closes the socket, and none is installed. */
  start(options: { encoding: "utf8"; acceptFds: boolean } & PacketHandlers<string>): void;
  start(options: { encoding: "bytes"; acceptFds: boolean } & PacketHandlers<Uint8Array>): void;
  /**
   * Sends or queues one packet of 1 to 65,536 bytes (an empty one would read as the end), with at most 16 fds. The fds are duplicated where they must wait; the caller keeps its own.
   * Returns the bytes that are queued now; 0: the kernel has it. EPIPE or ECONNRESET: the peer is gone, onClose follows.
   * A socket that a PacketServer accepted reads nothing from its peer while more than 256 KiB are queued. The side that connected
   * reads on, or two that both send without pause could wait for each other for ever.
   */
  send(data: string | Uint8Array, fds?: readonly number[]): number;
  /** Bytes queued here, not yet with the kernel. */
  readonly queued: number;
  /** Whether the peer has not yet received all that the kernel took (SIOCOUTQ is not 0). */
  hasUnread(): boolean;
  /** Whether a lone open socket keeps the process alive; true at first. */
  ref(): void;
  unref(): void;
  /** Idempotent. Drops what is queued; onClose is not called. */
  close(): void;
}

/** Listens on a path. Lives until it is closed, and unlinks the path then if it is still its own; process.exit() leaves the path to the next server. */
export interface PacketServer {
  close(): void;
}

/**
 * A shared mapping of an fd. Never an ArrayBuffer: the kernel may take the memory away, and each access then throws EFAULT.
 * It takes our SIGBUS handler for that: process.on("SIGBUS"), or a library that installs a handler later and does not pass signals on, defeats it
 * until the next Mapping is made, and touching revoked memory then hangs or ends the process. EACCES: a store to a mapping that is not writable.
 */
export interface Mapping {
  readonly size: number;
  /** `width` 8, 16, 32 or 64 bits, aligned; one access of exactly that width. 64 gives a bigint. RangeError outside of the mapping. */
  load(offset: number, width: 8 | 16 | 32): number;
  load(offset: number, width: 64): bigint;
  store(offset: number, width: 8 | 16 | 32, value: number): void;
  store(offset: number, width: 64, value: bigint): void;
  /** Copies `into.byteLength` bytes out of the memory. After an EFAULT the bytes of `into` are undefined. */
  read(offset: number, into: Uint8Array): void;
  write(offset: number, from: Uint8Array): void;
  /** Idempotent. */
  close(): void;
}

/** A CLOCK_BOOTTIME timer (timerfd): counts while the machine is suspended, ignores changes of the wall clock. Lives until it is closed. */
export interface BootTimer {
  /** Fires once at `deadlineMs` on the boot clock, at once if that has passed; undefined disarms. Any finite number of milliseconds. */
  set(deadlineMs: number | undefined): void;
  ref(): void;
  unref(): void;
  close(): void;
}

interface Addon {
  /** EADDRINUSE where somebody listens or the path is no socket; a socket that nobody listens on any more is replaced. ENAMETOOLONG: more than 107 bytes. */
  PacketServer: new (options: {
    path: string;
    /** Permission bits of the socket's file, in force before anybody can connect. */
    mode: number;
    onConnection(socket: PacketSocket): void;
    /** Accepting failed (EMFILE, ENOMEM): that connection was turned away, the server goes on. */
    onError(error: SystemError): void;
  }) => PacketServer;
  /** ENOENT, ECONNREFUSED, EACCES, EAGAIN (its backlog is full). */
  connectPacketSocket(path: string): PacketSocket;
  /** A connected pair: our end, and a close-on-exec descriptor of the other, the caller's to close. */
  packetSocketPair(): { socket: PacketSocket; fd: number };
  /** A connected socket on a descriptor that is the socket's from now on, and non-blocking. Where this throws it stays the caller's. */
  adoptPacketSocket(fd: number): PacketSocket;
  Mapping: new (fd: number, options: { offset?: number; length: number; writable: boolean }) => Mapping;
  BootTimer: new (onFire: () => void) => BootTimer;
  /** CLOCK_BOOTTIME in milliseconds, with a fraction. */
  bootTimeMs(): number;
  /** Takes an exclusive flock(2) without waiting; false where somebody else has it. Ends with the last descriptor of that open file. */
  tryLock(fd: number): boolean;
  /** Raises the limit of open files to the most that this process may have; answers what is in force. As root it also raises the hard limit, up to `wanted`. */
  raiseFileLimit(wanted: number): number;
  /** memfd_create(MFD_CLOEXEC | MFD_ALLOW_SEALING) of so many bytes. */
  createMemfd(name: string, size: number): number;
  /**
   * Sends one datagram to the unix socket that is bound to a path, or where it begins with "@" to that abstract name, without waiting:
   * EAGAIN where its queue is full. ENOENT, ECONNREFUSED (nobody has it open), EACCES, EMSGSIZE.
   */
  sendDatagram(path: string, bytes: Uint8Array): void;
}

const require = createRequire(import.meta.url);
const addon = require(addonPath()) as Addon;

export const {
  PacketServer,
  connectPacketSocket,
  packetSocketPair,
  adoptPacketSocket,
  Mapping,
  BootTimer,
  bootTimeMs,
  tryLock,
  raiseFileLimit,
  createMemfd,
  sendDatagram,
} = addon;

/** Whether something thrown is what a system call answered. */
export function isSystemError(error: unknown): error is SystemError {
  return error instanceof Error && "syscall" in error && "code" in error;
}

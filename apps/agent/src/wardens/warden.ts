import { closeSync } from "node:fs";
import type { PacketSocket, SystemError } from "@lendbuf/native/addon";
import {
  type AdoptionPacket,
  decodeAdoption,
  encodeAdopt,
  encodeDeadline,
  encodeWait,
} from "@lendbuf/native/warden/adoption-protocol";
import {
  type AccessPacket,
  decode,
  encodeAccess,
  encodeExport,
  encodeReset,
  encodeRevoke,
  encodeScrub,
  encodeSuspend,
  encodeSync,
  MAX_IDS,
  type RevokedEntry,
  type ScrubPacket,
  type SyncPacket,
  type WardenPacket,
} from "@lendbuf/native/warden/protocol";
import type { Range } from "@lendbuf/shared/buffer";
import type { Capability, Device, Region } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import { errnoName } from "./errno.ts";
import type { WardenProcess } from "./process.ts";

export interface ExportRequest {
  kind: Exporter;
  region: number;
  ranges: readonly Range[];
  readOnly: boolean;
}

export type { RevokedEntry };

/** What its self-tests found. */
export interface Found {
  regions: Region[];
  exporters: Capability[];
  access: Device["access"];
}

/** An export that a warden made for an earlier agent. */
export interface Held {
  /** Our copy, or -1 where it could not be handed over. */
  fd: number;
  /** When it must end, in milliseconds of the boot clock. */
  deadlineMs: number | null;
  isRevoking: boolean;
}

/** What comes with a warden that an earlier agent started. */
export interface Inheritance {
  readonly warden: Warden;
  /** By export id, those that live. */
  readonly held: Map<number, Held>;
  /** Whether nobody reaches the device's memory for now. */
  readonly isSuspended: boolean;
  /** Whether what it holds was taken into the books. */
  isInBooks: boolean;
}

export interface WardenHandlers {
  /** `inherited`: where it was adopted. */
  onReady(found: Found, inherited?: Inheritance): void;
  /** Answers in groups as they come in; each export's once per `revoke` that named it. */
  onRevoked(entries: RevokedEntry[]): void;
  /** One that was to be adopted has broken off: it may have been about to let another agent in, which has died. */
  onTurnedAway?(): void;
  /** The warden is gone, and with it every export that was not proven revoked. Called once, last. */
  onGone(why: string): void;
}

/** A process that holds one device, makes its exports and revokes them. Ends when our end of the socket closes, unless it was told to wait. */
export class Warden {
  readonly instance: string;
  readonly startedAt: number;
  readonly pid: number;
  readonly #process: WardenProcess;
  readonly #socket: PacketSocket;
  readonly #handlers: WardenHandlers;
  readonly #exporting = new Map<number, { resolve(fd: number): void; reject(error: Error): void }>();
  /** By serial. */
  readonly #asking = new Map<number, { what: string; resolve(value: bigint): void; reject(error: Error): void }>();
  #adopting: { found: Found | undefined; expected: number; inherited: Inheritance } | undefined;
  #waitSecret: Uint8Array | undefined;
  #serial = 0;
  #nextExport = 1;
  #gone = false;

  /** `secret`: of one that waits for another agent, which we are. */
  constructor(process: WardenProcess, handlers: WardenHandlers, secret?: Uint8Array) {
    this.instance = process.instance;
    this.startedAt = process.startedAt;
    this.pid = process.pid;
    this.#process = process;
    this.#socket = process.socket;
    this.#handlers = handlers;
    void process.exited.then((why) => this.#end(why));
    this.#socket.start({
      encoding: "bytes",
      acceptFds: true,
      onPacket: (bytes, fds) => this.#receive(bytes, fds),
      onClose: (error) => this.#onClose(error),
    });
    if (!secret) return;
    const inherited = { warden: this, held: new Map(), isSuspended: false, isInBooks: false };
    this.#adopting = { found: undefined, expected: Number.POSITIVE_INFINITY, inherited };
    this.#socket.send(encodeAdopt(secret, false));
  }

  get isGone(): boolean {
    return this.#gone;
  }

  /** A number that this warden has never been given. */
  nextExportId(): number {
    return this.#nextExport++;
  }

  /** Makes an export. The fd is a copy, the caller's to close. Rejects with the warden's errno as `code`. */
  export(id: number, request: ExportRequest): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#exporting.set(id, { resolve, reject });
      this.#send(encodeExport({ serial: ++this.#serial, id, ...request }));
    });
  }

  /** One load or store of the device itself, whoever has its memory: answers what was loaded. Rejects with the warden's errno as `code`, or DEVICE_LOST. */
  access(access: Omit<AccessPacket, "serial">): Promise<bigint> {
    return this.#ask("access", (serial) => encodeAccess({ ...access, serial }));
  }

  /** A copy between a staged export's window and the device. Rejects like `access`. */
  async sync(sync: Omit<SyncPacket, "serial">): Promise<void> {
    await this.#ask("sync", (serial) => encodeSync({ ...sync, serial }));
  }

  /** Takes the device's memory from everybody for now, or gives it back. Rejects like `access`. */
  async suspend(suspend: boolean): Promise<void> {
    await this.#ask(suspend ? "suspend" : "resume", (serial) => encodeSuspend(serial, suspend));
  }

  /** Writes a word all over memory that nobody has; answers how many bytes were read back. Rejects like `access`. */
  async scrub(scrub: Omit<ScrubPacket, "serial">): Promise<number> {
    return Number(await this.#ask("scrub", (serial) => encodeScrub({ ...scrub, serial })));
  }

  /** Gives the device its state as after power-on, while nobody has anything of it. Rejects like `access`. */
  async reset(): Promise<void> {
    await this.#ask("reset", encodeReset);
  }

  /** Asks for the end of these exports; the answers come through `onRevoked`. `deviceWide`: where only the whole device can be taken back, it may be. */
  revoke(exportIds: readonly number[], deviceWide = false): void {
    for (let start = 0; start < exportIds.length; start += MAX_IDS) {
      this.#send(encodeRevoke(++this.#serial, exportIds.slice(start, start + MAX_IDS), deviceWide));
    }
  }

  /** When this export must have ended at the latest, in milliseconds of the boot clock: for while no agent is there. */
  setDeadline(exportId: number, atMs: number): void {
    if (this.#waitSecret) this.#send(encodeDeadline(++this.#serial, exportId, atMs));
  }

  /** From now on it waits so long for another agent, once this one is gone. */
  waitForAnother(ms: number, secret: Uint8Array): void {
    this.#waitSecret = secret;
    this.#send(encodeWait(++this.#serial, ms, secret));
  }

  /** Ids up to this one were given out before. */
  skipExportIds(highest: number): void {
    this.#nextExport = Math.max(this.#nextExport, highest + 1);
  }

  /** Closes our end: the warden revokes everything, leaves its last word and exits. Resolves when it has. */
  async close(): Promise<void> {
    if (this.#waitSecret) this.#send(encodeWait(++this.#serial, 0, this.#waitSecret));
    this.leave();
    await this.#process.exited;
  }

  /** Closes our end: the warden waits for another agent, if it was told to. */
  leave(): void {
    this.#gone = true;
    this.#socket.close();
    this.#process.onSocketEnd();
  }

  /** `what` is the `syscall` of the error that it may end with. */
  #ask(what: string, encode: (serial: number) => Uint8Array): Promise<bigint> {
    if (this.#gone) return Promise.reject(new AgentError("DEVICE_LOST", "The device's warden is gone."));
    return new Promise((resolve, reject) => {
      const serial = ++this.#serial;
      this.#asking.set(serial, { what, resolve, reject });
      this.#send(encode(serial));
    });
  }

  /** Never throws, for an end is no less decided where its warden has just died: the loss, which we hear of next, answers all that was asked. */
  #send(packet: Uint8Array): void {
    if (this.#gone) return;
    try {
      this.#socket.send(packet);
    } catch (cause) {
      this.#onClose(cause as SystemError); // one that cannot be told is of no use
    }
  }

  #onClose(error: SystemError | undefined): void {
    if (!this.#adopting) return this.#process.onSocketEnd(error);
    this.#gone = true; // it waits on, or has died: never is it killed with what we have no copies of
    this.#dropAdoption();
    this.#handlers.onTurnedAway?.();
  }

  #dropAdoption(): void {
    for (const { fd } of this.#adopting?.inherited.held.values() ?? []) if (fd >= 0) closeSync(fd);
    this.#adopting = undefined;
  }

  #receive(bytes: Uint8Array, fds: number[]): void {
    const adoption = this.#adopting && decodeAdoption(bytes);
    if (adoption) this.#takeAdoption(adoption, fds);
    else this.#take(decode(bytes), fds);
  }

  #takeAdoption(packet: AdoptionPacket, fds: number[]): void {
    const { inherited } = this.#adopting!;
    if (packet.type === "adopted") {
      this.#serial = packet.serial;
      this.skipExportIds(packet.highest);
      this.#adopting!.expected = packet.count;
      this.#adopting!.inherited = { ...inherited, isSuspended: packet.isSuspended };
    } else {
      const [fd = -1] = fds;
      inherited.held.set(packet.id, { fd, deadlineMs: packet.deadlineMs, isRevoking: packet.isRevoking });
    }
    this.#finishAdoption();
  }

  #finishAdoption(): void {
    const { found, expected, inherited } = this.#adopting!;
    if (!found || inherited.held.size < expected) return;
    this.#adopting = undefined;
    this.#handlers.onReady(found, inherited);
  }

  #takeReady(packet: ReadyPacket): void {
    const found = foundIn(packet);
    if (this.#adopting) this.#adopting.found = found;
    else this.#handlers.onReady(found);
  }

  #take(packet: WardenPacket, fds: number[]): void {
    if (packet.type === "exported") return this.#takeExported(packet, fds);
    for (const fd of fds) closeSync(fd);
    if (packet.type === "revoked") return this.#handlers.onRevoked(packet.entries);
    if (packet.type === "done") return this.#takeDone(packet);
    if (packet.type === "ready") return this.#takeReady(packet);
    this.#end(packet.words);
  }

  #takeExported(packet: WardenPacket & { type: "exported" }, fds: number[]): void {
    const waiting = this.#exporting.get(packet.id);
    this.#exporting.delete(packet.id);
    const [fd, ...surplus] = fds;
    for (const extra of waiting ? surplus : fds) closeSync(extra);
    if (fd !== undefined) waiting?.resolve(fd);
    else waiting?.reject(wardenError("export", packet.error, packet.words));
  }

  #takeDone({ serial, error, value, words }: WardenPacket & { type: "done" }): void {
    const waiting = this.#asking.get(serial);
    this.#asking.delete(serial);
    if (error === 0) waiting?.resolve(value);
    else waiting?.reject(wardenError(waiting.what, error, words));
  }

  #end(why: string): void {
    if (this.#gone) return;
    this.leave();
    this.#dropAdoption();
    for (const { reject } of this.#exporting.values()) reject(new Error(`The device's warden is gone: ${why}`));
    this.#exporting.clear();
    for (const { reject } of this.#asking.values())
      reject(
        new AgentError("DEVICE_LOST", `The device's warden is gone, and what was asked may be done or not: ${why}`),
      );
    this.#asking.clear();
    this.#handlers.onGone(why);
  }
}

function foundIn({ regions, exporters, access }: ReadyPacket): Found {
  return {
    regions: regions.map(regionOf),
    exporters: exporters.map(capabilityOf),
    access: access === "none" ? null : access,
  };
}

function capabilityOf({ kind, works, method, scope, rungs, mappable, words }: ExporterFound): Capability {
  return {
    exporter: kind ?? "memfd",
    works,
    detail: words,
    method: inUse(method),
    scope,
    rungs: rungs.flatMap(({ method: rung, error, words: detail, ...seen }) => {
      const named = inUse(rung);
      return named ? [{ ...seen, method: named, errno: error ? errnoName(error) : null, detail }] : [];
    }),
    mappable,
  };
}

/** "ended-before" is an answer, not a way to revoke. */
function inUse(method: RevokedEntry["method"]): Capability["method"] {
  return method === "ended-before" ? null : method;
}

function regionOf({ index, size, unlendable, withheld }: ReadyPacket["regions"][number]): Region {
  return { index, size, unlendable, withheld };
}

type ReadyPacket = WardenPacket & { type: "ready" };
type ExporterFound = ReadyPacket["exporters"][number];

function wardenError(syscall: string, errno: number, words: string): Error {
  return Object.assign(new Error(words || errnoName(errno)), { code: errnoName(errno), errno, syscall });
}

import { type ChildProcess, spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { closeSync } from "node:fs";
import { type PacketSocket, packetSocketPair } from "@lendbuf/native/addon";
import { wardenPath } from "@lendbuf/native/build";
import {
  type AccessPacket,
  decode,
  encodeAccess,
  encodeExport,
  encodeRevoke,
  encodeSuspend,
  encodeSync,
  MAX_IDS,
  type RevokedEntry,
  type SyncPacket,
  type WardenPacket,
} from "@lendbuf/native/warden/protocol";
import type { Range } from "@lendbuf/shared/buffer";
import type { Capability, Device, Region } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import { errnoName } from "./errno.ts";
import { lastWordPath, makeFolder } from "./last-word.ts";

export interface ExportRequest {
  kind: Exporter;
  region: number;
  ranges: readonly Range[];
  readOnly: boolean;
  scrubZero: boolean;
}

export type { RevokedEntry };

/** What its self-tests found. */
export interface Found {
  regions: Region[];
  exporters: Capability[];
  access: Device["access"];
}

export interface WardenOptions {
  device: string;
  /** What this kind of device needs on the warden's command line. */
  args: readonly string[];
  stateDirectory: string;
}

export interface WardenHandlers {
  onReady(found: Found): void;
  /** Answers in groups as they come in; each export's once per `revoke` that named it. */
  onRevoked(entries: RevokedEntry[]): void;
  /** The warden is gone, and with it every export that was not proven revoked. Called once, last. */
  onGone(why: string): void;
}

/** A process that holds one device, makes its exports and revokes them. Ends when our end of the socket closes. */
export class Warden {
  readonly instance = randomUUID();
  readonly startedAt = Date.now();
  readonly pid: number;
  readonly #socket: PacketSocket;
  readonly #child: ChildProcess;
  readonly #handlers: WardenHandlers;
  readonly #exporting = new Map<number, { resolve(fd: number): void; reject(error: Error): void }>();
  /** By serial. */
  readonly #asking = new Map<number, { what: string; resolve(value: bigint): void; reject(error: Error): void }>();
  readonly #exited: Promise<void>;
  #serial = 0;
  #nextExport = 1;
  #gone = false;

  constructor({ device, args, stateDirectory }: WardenOptions, handlers: WardenHandlers) {
    this.#handlers = handlers;
    const { socket, fd } = packetSocketPair();
    this.#socket = socket;
    makeFolder(stateDirectory);
    const lastWord = lastWordPath(stateDirectory, this.instance);
    const all = ["--device", device, ...args, "--instance", this.instance, "--last-word", lastWord];
    try {
      this.#child = spawn(wardenPath(), all, {
        detached: true, // a session of its own: no terminal's Ctrl-C reaches it before it reaches us
        stdio: ["ignore", "ignore", "pipe", fd],
      });
    } finally {
      closeSync(fd);
    }
    this.pid = this.#child.pid ?? 0;
    let words = "";
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      words = (words + text).slice(-2000);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("error", (error) => {
        this.#end(`it cannot be started: ${error.message}`);
        resolve();
      });
      this.#child.once("close", (code, signal) => {
        this.#end(`it ended with ${signal ?? `status ${code}`}${words ? `: ${words.trim()}` : ""}`);
        resolve();
      });
    });
    socket.start({
      encoding: "bytes",
      acceptFds: true,
      onPacket: (bytes, fds) => this.#take(decode(bytes), fds),
      // The exit that follows says more; a socket that fails while the process lives is an end as well.
      onClose: (error) => error && this.#child.kill("SIGKILL"),
    });
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

  /** Asks for the end of these exports; the answers come through `onRevoked`. `deviceWide`: where only the whole device can be taken back, it may be. */
  revoke(exportIds: readonly number[], deviceWide = false): void {
    for (let start = 0; start < exportIds.length; start += MAX_IDS) {
      this.#send(encodeRevoke(++this.#serial, exportIds.slice(start, start + MAX_IDS), deviceWide));
    }
  }

  /** Closes our end: the warden revokes everything, leaves its last word and exits. Resolves when it has. */
  close(): Promise<void> {
    this.#gone = true;
    this.#socket.close();
    return this.#exited;
  }

  /** `what` is the `syscall` of the error that it may end with. */
  #ask(what: string, encode: (serial: number) => Uint8Array): Promise<bigint> {
    return new Promise((resolve, reject) => {
      const serial = ++this.#serial;
      this.#asking.set(serial, { what, resolve, reject });
      this.#send(encode(serial));
    });
  }

  #send(packet: Uint8Array): void {
    if (!this.#gone) this.#socket.send(packet);
  }

  #take(packet: WardenPacket, fds: number[]): void {
    if (packet.type === "exported") return this.#takeExported(packet, fds);
    for (const fd of fds) closeSync(fd);
    if (packet.type === "revoked") return this.#handlers.onRevoked(packet.entries);
    if (packet.type === "done") return this.#takeDone(packet);
    if (packet.type === "ready") return this.#handlers.onReady(foundIn(packet));
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
    this.#gone = true;
    this.#socket.close();
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

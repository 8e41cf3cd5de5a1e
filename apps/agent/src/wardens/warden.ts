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
  MAX_IDS,
  type WardenPacket,
} from "@lendbuf/native/warden/protocol";
import type { Range } from "@lendbuf/shared/buffer";
import type { Proof, Scope } from "@lendbuf/shared/delegation";
import type { Capability, Region } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import { errnoName } from "./errno.ts";
import { lastWordPath, makeFolder } from "./last-word.ts";

export interface ExportRequest {
  region: number;
  ranges: readonly Range[];
  readOnly: boolean;
  scrubZero: boolean;
}

/** What a revoke came to: a proof, or the kernel's refusal. */
export interface RevokeResult {
  exportId: number;
  proof: Proof | null;
  /** The errno's name where the kernel refused. */
  errno: string | null;
}

export interface WardenOptions {
  device: string;
  /** What this kind of device needs on the warden's command line. */
  args: readonly string[];
  stateDirectory: string;
}

export interface WardenHandlers {
  onReady(regions: Region[], capability: Capability): void;
  /** Results in groups as they come in; each export's once per `revoke` that named it. */
  onRevoked(results: RevokeResult[]): void;
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
  readonly #accessing = new Map<number, { resolve(value: bigint): void; reject(error: Error): void }>();
  readonly #exited: Promise<void>;
  #serial = 0;
  #nextExport = 1;
  #capability: Capability | undefined;
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

  /** What its revokes do; null until its self-test has passed. */
  get method() {
    return this.#capability?.method ?? null;
  }

  /** What one of its revokes ends. */
  get scope(): Scope {
    return this.#capability?.scope ?? "none";
  }

  /** Whether its exports can be looked at, and dropped again, without touching another's. */
  get canShow(): boolean {
    return this.#capability?.mappable === true && this.scope === "buffer";
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
    return new Promise((resolve, reject) => {
      const serial = ++this.#serial;
      this.#accessing.set(serial, { resolve, reject });
      this.#send(encodeAccess({ ...access, serial }));
    });
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

  #send(packet: Uint8Array): void {
    if (!this.#gone) this.#socket.send(packet);
  }

  #take(packet: WardenPacket, fds: number[]): void {
    if (packet.type === "exported") return this.#takeExported(packet, fds);
    for (const fd of fds) closeSync(fd);
    if (packet.type === "revoked")
      return this.#handlers.onRevoked(packet.entries.map((entry) => this.#resultOf(entry)));
    if (packet.type === "accessed") return this.#takeAccessed(packet);
    if (packet.type === "ready") {
      this.#capability = capabilityOf(packet);
      return this.#handlers.onReady(packet.regions.map(regionOf), this.#capability);
    }
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

  #takeAccessed({ serial, error, value, words }: WardenPacket & { type: "accessed" }): void {
    const waiting = this.#accessing.get(serial);
    this.#accessing.delete(serial);
    if (error === 0) waiting?.resolve(value);
    else waiting?.reject(wardenError("access", error, words));
  }

  #resultOf(entry: RevokedEntry): RevokeResult {
    const answer = entry.error === 0 ? "0" : errnoName(entry.error);
    if (!entry.safe || !entry.method) return { exportId: entry.id, proof: null, errno: answer };
    const proof: Proof = {
      method: entry.method,
      scope: this.scope,
      by: "warden",
      answer,
      probe: this.#probeOf(entry),
      durationUs: Math.round(entry.durationUs),
    };
    return { exportId: entry.id, proof, errno: null };
  }

  /** What the look afterwards saw. A mapping that fails proves nothing where none ever worked. */
  #probeOf({ method, probe }: RevokedEntry): string {
    if (method === "never-exported") return "no export";
    if (method === "ftruncate") return `size ${probe}`;
    if (method === "device-close") return "the device could be opened anew";
    return this.#capability?.mappable ? `mmap ${errnoName(probe)}` : "exports cannot be mapped here";
  }

  #end(why: string): void {
    if (this.#gone) return;
    this.#gone = true;
    this.#socket.close();
    for (const { reject } of this.#exporting.values()) reject(new Error(`The device's warden is gone: ${why}`));
    this.#exporting.clear();
    for (const { reject } of this.#accessing.values())
      reject(
        new AgentError("DEVICE_LOST", `The device's warden is gone, and what was asked may be done or not: ${why}`),
      );
    this.#accessing.clear();
    this.#handlers.onGone(why);
  }
}

function capabilityOf({ kind, works, method, scope, rungs, mappable, access, words }: ReadyPacket): Capability {
  return {
    exporter: kind ?? "memfd",
    works,
    detail: words,
    method,
    scope,
    rungs: rungs.flatMap(({ method: rung, error, words: detail, ...seen }) =>
      rung
        ? [{ method: rung, scope: seen.scope, works: seen.works, errno: error ? errnoName(error) : null, detail }]
        : [],
    ),
    mappable,
    access: access === "none" ? null : access,
  };
}

function regionOf({ index, size, unlendable, withheld }: ReadyPacket["regions"][number]): Region {
  return { index, size, unlendable, withheld };
}

type ReadyPacket = WardenPacket & { type: "ready" };
type RevokedEntry = (WardenPacket & { type: "revoked" })["entries"][number];

function wardenError(syscall: string, errno: number, words: string): Error {
  return Object.assign(new Error(words || errnoName(errno)), { code: errnoName(errno), errno, syscall });
}

import { spawn } from "node:child_process";
import { chmodSync, closeSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PacketSocket, packetSocketPair } from "../src/addon.ts";
import {
  type AccessPacket,
  decode,
  type Exporter,
  type ExportPacket,
  encodeAccess,
  encodeExport,
  encodeReset,
  encodeRevoke,
  encodeScrub,
  encodeSuspend,
  encodeSync,
  type Kind,
  type ScrubPacket,
  type SyncPacket,
  type WardenPacket,
} from "../src/warden/protocol.ts";
import { SANITIZER_REPORT } from "./sanitizer-report.ts";
import type { Build } from "./warden-builds.ts";

export type Packet<Type extends WardenPacket["type"]> = Extract<WardenPacket, { type: Type }>;
type Got = WardenPacket & { fds: number[] };

export const REGISTERS = 0;
export const MEMORY = 2;
/** Where region 2 is plain memory. */
export const PLAIN = 4 << 20;

export interface Lent {
  id: number;
  fd: number;
  error: number;
  words: string;
}

export interface Ended {
  status: number | null;
  errors: string;
}

export interface WardenOptions {
  /** The warden's arguments that say which device it gets; the simulated one without. */
  device?: readonly string[];
  /** By which it exports what is not asked of another; the first one of its device without. */
  exporter?: Kind;
  /** Of what is exported without naming one; where the device has at least PLAIN and a page. */
  region?: number;
  uid?: number;
  /** It may wait for another agent at `doorPath`. */
  mayWait?: boolean;
  /** Runs the warden by way of another command, with the state directory as the last argument before the warden's own. */
  through?: (stateDirectory: string) => string[];
}

/** A real warden, with this test as its agent. */
export class Warden {
  readonly instance = "f81d4fae-7dec-11d0-a765-00a0c91e6bf6";
  readonly directory = mkdtempSync(join(tmpdir(), "lendbuf-warden-"));
  readonly lastWordPath = join(this.directory, "last-word.json");
  readonly doorPath = join(this.directory, "door");
  readonly socket: PacketSocket;
  readonly pid: number;
  readonly ended: Promise<Ended>;
  errors = "";
  #serial = 0;
  #nextId = 1;
  #packets: Got[] = [];
  #waiting: { wants(packet: Got): boolean; resolve(packet: Got): void; reject(error: Error): void }[] = [];
  readonly #fds: number[] = [];
  readonly #exporter: Kind;
  readonly #region: number;
  #ready: Promise<Packet<"ready">> | undefined;

  constructor(build: Build, options: WardenOptions = {}) {
    chmodSync(this.directory, 0o777);
    const { socket, fd } = packetSocketPair();
    this.socket = socket;
    const device = options.device ?? ["--device", "sim0", "--simulated"];
    this.#exporter = options.exporter ?? (options.device ? "vfio" : "memfd");
    this.#region = options.region ?? MEMORY;
    const door = options.mayWait ? ["--door", this.doorPath] : [];
    const own = [...device, "--instance", this.instance, "--last-word", this.lastWordPath, ...door];
    const [program, ...rest] = [...(options.through?.(this.directory) ?? []), ...build.command, ...own];
    const as = options.uid === undefined ? {} : { uid: options.uid, gid: options.uid };
    const child = spawn(program!, rest, { stdio: ["ignore", "ignore", "pipe", fd], detached: true, ...as });
    closeSync(fd);
    this.pid = child.pid!;
    child.stderr!.on("data", (data) => {
      this.errors += data;
    });
    this.ended = new Promise((resolve, reject) => {
      child.once("error", reject);
      child.once("close", (status) => resolve({ status, errors: this.errors }));
    });
    this.ended.then(
      () => this.#giveUp(`the warden ended: ${this.errors}`),
      (error) => this.#giveUp(`the warden cannot be started: ${error}`),
    );
    socket.start({
      encoding: "bytes",
      acceptFds: true,
      onPacket: (bytes, fds) => this.#take(bytes, fds),
      onClose() {},
    });
  }

  ready(): Promise<Packet<"ready">> {
    this.#ready ??= this.#next((packet): packet is Packet<"ready"> & Got => packet.type === "ready");
    return this.#ready;
  }

  /** What its exporter's self-test found. */
  async capability(): Promise<Exporter> {
    return (await this.ready()).exporters.find(({ kind }) => kind === this.#exporter)!;
  }

  nextId(): number {
    return this.#nextId++;
  }

  /** Asks for an export; what is left out is: writable, and one page of plain memory. */
  async export(request: Partial<Omit<ExportPacket, "serial">> = {}): Promise<Lent> {
    const serial = ++this.#serial;
    const id = request.id ?? this.nextId();
    const ranges = request.ranges ?? [{ offset: PLAIN, length: 4096 }];
    const usual = { kind: this.#exporter, region: this.#region, readOnly: false };
    this.socket.send(encodeExport({ ...usual, ...request, ranges, serial, id }));
    const packet = await this.#next(
      (one): one is Packet<"exported"> & Got => one.type === "exported" && one.serial === serial,
    );
    return { id: packet.id, fd: packet.fds[0] ?? -1, error: packet.error, words: packet.words };
  }

  /** Closes our copy, as the agent does where nothing but that could end an export. */
  letGo({ fd }: Lent): void {
    const index = this.#fds.indexOf(fd);
    if (index >= 0) closeSync(this.#fds.splice(index, 1)[0]!);
  }

  /** Asks for revokes; resolves with all answers to this one, in the order of their coming. */
  revoke(...ids: number[]): Promise<Packet<"revoked">["entries"]> {
    return this.#revoke(ids, ids.length, false);
  }

  /** Asks for revokes that may end others too; resolves with so many answers. */
  revokeDeviceWide(ids: readonly number[], answers: number): Promise<Packet<"revoked">["entries"]> {
    return this.#revoke(ids, answers, true);
  }

  /** Asks for one load or store; what is left out is: a load of 32 bits at the start of the registers. */
  access(access: Partial<Omit<AccessPacket, "serial">> = {}): Promise<Packet<"done">> {
    const usual = { region: REGISTERS, offset: 0, width: 32, value: null };
    return this.#done((serial) => encodeAccess({ ...usual, ...access, serial }));
  }

  /** Asks for a copy; what is left out is: the first 4 KiB from the device, by 32 bits. */
  sync(sync: Partial<Omit<SyncPacket, "serial">> & { id: number }): Promise<Packet<"done">> {
    const usual = { offset: 0, length: 4096, width: 32, toDevice: false };
    return this.#done((serial) => encodeSync({ ...usual, ...sync, serial }));
  }

  suspend(suspend: boolean): Promise<Packet<"done">> {
    return this.#done((serial) => encodeSuspend(serial, suspend));
  }

  /** Writes over memory; what is left out is: one page of plain memory, with zeros, by 32 bits. */
  scrub(scrub: Partial<Omit<ScrubPacket, "serial">> = {}): Promise<Packet<"done">> {
    const usual = { region: this.#region, ranges: [{ offset: PLAIN, length: 4096 }], word: 0n, width: 32 };
    return this.#done((serial) => encodeScrub({ ...usual, ...scrub, serial }));
  }

  reset(): Promise<Packet<"done">> {
    return this.#done(encodeReset);
  }

  /** Why it gave its device up. */
  lost(): Promise<Packet<"lost">> {
    return this.#next((packet): packet is Packet<"lost"> & Got => packet.type === "lost");
  }

  /** Closes the agent's end and waits for the exit. */
  async end(): Promise<Ended & { lastWord: LastWord }> {
    this.socket.close();
    const ended = await this.ended;
    return { ...ended, lastWord: JSON.parse(readFileSync(this.lastWordPath, "utf8")) };
  }

  openFds(): number {
    return readdirSync(`/proc/${this.pid}/fd`).length;
  }

  /** Whether its timer is set, by the kernel's account. */
  isTicking(): boolean {
    const fd = readdirSync(`/proc/${this.pid}/fd`).find((one) =>
      readlinkSync(`/proc/${this.pid}/fd/${one}`).includes("timerfd"),
    );
    return !readFileSync(`/proc/${this.pid}/fdinfo/${fd}`, "utf8").includes("it_interval: (0, 0)");
  }

  /** Ends it, if the test has not; fails the test on what a sanitizer found. */
  async [Symbol.asyncDispose]() {
    this.socket.close();
    const { errors } = await this.ended;
    for (const fd of this.#fds) closeSync(fd);
    if (SANITIZER_REPORT.test(errors)) throw new Error(errors);
  }

  async #revoke(ids: readonly number[], answers: number, deviceWide: boolean): Promise<Packet<"revoked">["entries"]> {
    const serial = ++this.#serial;
    this.socket.send(encodeRevoke(serial, ids, deviceWide));
    const entries: Packet<"revoked">["entries"] = [];
    while (entries.length < answers) entries.push(...(await this.#nextRevoked(serial)).entries);
    return entries;
  }

  #done(encode: (serial: number) => Uint8Array): Promise<Packet<"done">> {
    const serial = ++this.#serial;
    this.socket.send(encode(serial));
    return this.#next((one): one is Packet<"done"> & Got => one.type === "done" && one.serial === serial);
  }

  #nextRevoked(serial: number): Promise<Packet<"revoked">> {
    return this.#next((one): one is Packet<"revoked"> & Got => one.type === "revoked" && one.serial === serial);
  }

  #next<T extends Got>(wants: (packet: Got) => packet is T): Promise<T> {
    const index = this.#packets.findIndex(wants);
    if (index >= 0) return Promise.resolve(this.#packets.splice(index, 1)[0] as T);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ wants, resolve: resolve as (packet: Got) => void, reject });
    });
  }

  #take(bytes: Uint8Array, fds: number[]): void {
    this.#fds.push(...fds);
    const packet = { ...decode(bytes), fds };
    const index = this.#waiting.findIndex(({ wants }) => wants(packet));
    if (index >= 0) this.#waiting.splice(index, 1)[0]!.resolve(packet);
    else this.#packets.push(packet);
  }

  #giveUp(why: string): void {
    for (const { reject } of this.#waiting.splice(0)) reject(new Error(why));
  }
}

export interface LastWord {
  version: number;
  instance: string;
  device: string;
  bootId: string;
  complete: boolean;
  exports: number;
  unrevoked: { id: number; errno: string }[];
}

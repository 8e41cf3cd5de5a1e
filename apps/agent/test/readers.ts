import { type ChildProcess, spawn } from "node:child_process";
import { closeSync, readSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { createMemfd } from "@lendbuf/native/addon";
import { compiled } from "./compiled.ts";
import { until } from "./harness.ts";

export interface ReadersOptions {
  /** Bytes to map. */
  size: number;
  /** `bare` dies of SIGBUS; `guarded` catches it; `pipe` lets the kernel copy, and gets EFAULT. */
  mode: "bare" | "guarded" | "pipe";
  writes?: boolean;
  /** Nobody keeps the fd, and there is no receiver. */
  mappingOnly?: boolean;
  undumpable?: boolean;
  /** Pauses between the reads, for tests that measure no moments. */
  paced?: boolean;
}

export interface Slot {
  reads: bigint;
  /** CLOCK_MONOTONIC (process.hrtime) when the last read that succeeded began. */
  lastReadNs: bigint;
  faults: bigint;
  /** When the first refusal was known; 0: none yet. */
  firstRefusedNs: bigint;
}

/** Of struct slot in readers.c. */
const SLOT_BYTES = 40;
const ROLES = ["holder", "child", "receiver"] as const;
export type Role = (typeof ROLES)[number];

/** What readers write of themselves, in memory of the test's own. */
export class Board {
  readonly fd = createMemfd("board", 4096);
  #isClosed = false;

  slot(index: number): Slot {
    const bytes = Buffer.alloc(SLOT_BYTES);
    readSync(this.fd, bytes, 0, SLOT_BYTES, index * SLOT_BYTES);
    const [reads, lastReadNs, faults, firstRefusedNs] = [0, 8, 16, 32].map((at) => bytes.readBigUInt64LE(at));
    return { reads: reads!, lastReadNs: lastReadNs!, faults: faults!, firstRefusedNs: firstRefusedNs! };
  }

  /** Idempotent. */
  close(): void {
    if (!this.#isClosed) closeSync(this.fd);
    this.#isClosed = true;
  }
}

export function readersCommand({ size, mode, writes, mappingOnly, undumpable, paced }: ReadersOptions): string[] {
  const flags = { write: writes, "mapping-only": mappingOnly, undumpable, paced };
  const set = Object.entries(flags).filter(([, isSet]) => isSet);
  return [compiled("readers"), String(size), mode, ...set.map(([name]) => name)];
}

/** A holder, its child that has only the mapping, and a third process that was sent the fd, all reading without pause. */
export class Readers {
  readonly roles: readonly Role[];
  /** How each that has ended did: "signal 7", "exit 1". */
  readonly ends = new Map<string, string>();
  /** Resolves when all have ended. */
  readonly ended: Promise<void>;
  readonly board: Board;
  readonly #pid: number;
  readonly #reading: Promise<boolean>;
  #isEnded = false;

  /** `pid` leads their process group, `output` is where they tell. */
  constructor(pid: number, output: Readable, board: Board, { mappingOnly }: ReadersOptions) {
    this.#pid = pid;
    this.board = board;
    this.roles = mappingOnly ? ROLES.slice(0, 2) : ROLES;
    let isReading: (value: boolean) => void;
    this.#reading = new Promise((resolve) => {
      isReading = resolve;
    });
    const lines = createInterface({ input: output });
    lines.on("line", (line) => {
      const [name, ...how] = line.split(" ");
      if (line === "reading") isReading(true);
      else this.ends.set(name!, how.join(" "));
    });
    this.ended = new Promise((resolve) => {
      lines.once("close", () => {
        this.#isEnded = true;
        isReading(false);
        resolve();
      });
    });
  }

  slots(): Slot[] {
    return this.roles.map((_role, index) => this.board.slot(index));
  }

  /** When the last read of any of them began that succeeded. */
  lastReadNs(): bigint {
    return this.slots().reduce((latest, { lastReadNs }) => (lastReadNs > latest ? lastReadNs : latest), 0n);
  }

  async reading(): Promise<void> {
    if (!(await this.#reading)) throw new Error(`the readers ended before they could read: ${[...this.ends]}`);
  }

  /** Resolves when each has been refused so many times from now on. */
  async refused(times: number): Promise<void> {
    const before = this.slots();
    const enough = () => this.slots().every(({ faults }, index) => faults >= before[index]!.faults + BigInt(times));
    await until(enough, `each of ${this.roles} is refused ${times} times: ${JSON.stringify(this.#told())}`, 10_000);
  }

  /** Whether any of them can read now: waits until each has tried once more. */
  async canRead(): Promise<boolean> {
    const before = this.slots();
    const now = process.hrtime.bigint();
    // The one under way may have begun before; the second from here on has not.
    const tried = ({ reads, faults }: Slot, then: Slot) => reads + faults >= then.reads + then.faults + 2n;
    await until(() => this.slots().every((slot, index) => tried(slot, before[index]!)), "each tries again");
    return this.lastReadNs() > now;
  }

  async stop(): Promise<void> {
    if (!this.#isEnded) {
      try {
        process.kill(-this.#pid, "SIGKILL");
      } catch {
        // ended meanwhile
      }
    }
    await this.ended;
    this.board.close();
  }

  #told(): object {
    return this.slots().map(({ reads, faults }) => `${reads} reads, ${faults} refusals`);
  }
}

/** Resolves when all of them read. They get copies of the fd; the caller keeps its own. */
export async function spawnReaders(fd: number, options: ReadersOptions): Promise<Readers> {
  const board = new Board();
  const [program, ...args] = readersCommand(options);
  const child: ChildProcess = spawn(program!, args, {
    detached: true,
    stdio: ["ignore", "pipe", "inherit", fd, board.fd],
  });
  const readers = new Readers(child.pid!, child.stdout!, board, options);
  await readers.reading();
  return readers;
}

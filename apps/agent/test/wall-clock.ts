import { closeSync, openSync, writeSync } from "node:fs";
import { compiled } from "./compiled.ts";

/** A wall clock that can be set forward and back, of the process that is started with its environment and of none besides. */
export class WallClock {
  /** For Node's processes and others that ask libc for the time. */
  readonly env: Record<string, string>;
  readonly #fd: number;
  #shiftMs = 0;

  constructor(file: string) {
    this.#fd = openSync(file, "w", 0o644);
    this.shift(0);
    this.env = { LD_PRELOAD: compiled("clock-shift", ["-shared", "-fPIC"]), CLOCK_SHIFT: file };
  }

  /** What it shows, in milliseconds since 1970. */
  now(): number {
    return Date.now() + this.#shiftMs;
  }

  /** Sets it off from the real time by so much, at once. */
  shift(ms: number): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigInt64LE(BigInt(ms));
    writeSync(this.#fd, bytes, 0, 8, 0);
    this.#shiftMs = ms;
  }

  close(): void {
    closeSync(this.#fd);
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { sanitized } from "./built.ts";

export interface DriverOptions {
  env?: Record<string, string>;
  uid?: number;
}

/** A second process that uses the library as it is told (driver.c). */
export class Driver implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #readers: ((line: string) => void)[] = [];
  readonly #exited: Promise<number | NodeJS.Signals>;
  #report = "";

  constructor({ env, uid }: DriverOptions = {}) {
    this.#child = spawn(sanitized("driver"), [], {
      stdio: ["pipe", "pipe", "pipe"],
      ...(env && { env }),
      ...(uid !== undefined && { uid, gid: uid }),
    });
    this.pid = this.#child.pid!;
    this.#child.stdin!.on("error", () => {}); // it has ended: the answers say so
    this.#child.stderr!.setEncoding("utf8").on("data", (text: string) => {
      this.#report += text;
    });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const read = this.#readers.shift();
      if (read) read(line);
      else this.#lines.push(line);
    });
    this.#exited = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        for (const read of this.#readers.splice(0)) read(`gone: ${this.#report}`);
        resolve(code ?? signal!);
      });
    });
  }

  tell(command: string): Promise<string> {
    this.#child.stdin!.write(`${command}\n`);
    const line = this.#lines.shift();
    return line === undefined ? new Promise((resolve) => this.#readers.push(resolve)) : Promise.resolve(line);
  }

  /** What was to work: the rest of its answer. */
  async must(command: string): Promise<string> {
    const answer = await this.tell(command);
    if (!answer.startsWith("ok")) throw new Error(`${command}: ${answer}`);
    return answer.slice(3);
  }

  /** The delegation's id; in the driver it is lease 0, 1, … in the order of the calls. */
  async borrow(buffer: string, options: BorrowOptions = {}): Promise<number> {
    return Number((await this.must(borrowCommand(buffer, options))).split(" ")[1]);
  }

  signal(name: NodeJS.Signals): void {
    process.kill(this.pid, name);
  }

  /** Ends it by the end of its input, so that it frees all; throws what a sanitizer has found. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.stdin!.end();
    const end = await this.#exited;
    if (end !== 0 || this.#report) throw new Error(`the driver ended with ${end}: ${this.#report}`);
  }
}

export interface BorrowOptions {
  access?: "read-only" | "read-write";
  share?: "shared" | "exclusive" | "default";
  leaseMs?: number;
  waitMs?: number;
  keep?: boolean;
  purpose?: string;
}

export function borrowCommand(buffer: string, options: BorrowOptions = {}): string {
  const { access = "read-write", share = "default", leaseMs = 0, waitMs = 0, keep = false, purpose = "" } = options;
  return `borrow ${buffer} ${access} ${share} ${leaseMs} ${waitMs} ${Number(keep)} ${purpose}`.trimEnd();
}

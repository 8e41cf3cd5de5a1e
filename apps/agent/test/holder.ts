import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { compiled } from "./compiled.ts";

export interface HolderOptions {
  /** Bytes to map. */
  size: number;
  writable?: boolean;
  /** false: dies of SIGBUS, as most programs do. */
  guarded?: boolean;
}

/** A real second process that has mapped an fd. It gets a copy; the caller keeps its own. */
export class Holder {
  readonly pid: number;
  /** Resolves when the process has ended. */
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #readers: ((line: string) => void)[] = [];

  constructor(fd: number, { size, writable = true, guarded = true }: HolderOptions) {
    const args = [String(size), ...(writable ? [] : ["read-only"]), ...(guarded ? [] : ["unguarded"])];
    this.#child = spawn(compiled("holder"), args, { stdio: ["pipe", "pipe", "inherit", fd] });
    this.pid = this.#child.pid!;
    this.exited = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => {
        for (const read of this.#readers.splice(0)) read(signal ?? `exit ${code}`);
        resolve({ code, signal });
      });
    });
    this.#child.stdin!.on("error", () => {}); // it has ended: `exited` and the answers say so
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const read = this.#readers.shift();
      if (read) read(line);
      else this.#lines.push(line);
    });
  }

  /** Its next line; the signal's name where it died instead. */
  line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    const { exitCode, signalCode } = this.#child;
    if (exitCode !== null || signalCode !== null) return Promise.resolve(signalCode ?? `exit ${exitCode}`);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  ask(command: string): Promise<string> {
    this.#child.stdin!.write(`${command}\n`);
    return this.line();
  }

  /** The bytes as Latin-1 text, or "EFAULT", or "SIGBUS" where that killed it. */
  async read(offset: number, length: number): Promise<string> {
    const answer = await this.ask(`read ${offset} ${length}`);
    return /^([0-9a-f]{2})*$/.test(answer) ? Buffer.from(answer, "hex").toString("latin1") : answer;
  }

  /** "ok", "EFAULT" or "SIGBUS". */
  write(offset: number, text: string): Promise<string> {
    return this.ask(`write ${offset} ${Buffer.from(text, "latin1").toString("hex")}`);
  }

  /** Touches every page, over and over. Resolves when it has begun; `line()` then tells how it ends: "EFAULT", "SIGBUS" or "stopped". */
  async loop(how: "read" | "write"): Promise<void> {
    const answer = await this.ask(`loop ${how}`);
    if (answer !== "looping") throw new Error(`the holder does not loop: ${answer}`);
  }

  /** Ends it; idempotent. */
  async stop(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.exited;
  }
}

/** Resolves when the process has mapped the fd. Rejects where it could not: a mapping of memory that was taken back gives ENODEV, or EFAULT at the first touch. */
export async function spawnHolder(fd: number, options: HolderOptions): Promise<Holder> {
  const holder = new Holder(fd, options);
  const answer = await holder.line();
  if (answer === "ok") return holder;
  await holder.stop();
  throw new Error(`the holder cannot map the fd: ${answer}`);
}

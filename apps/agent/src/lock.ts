import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "@lendbuf/native/addon";

/** Somebody else runs an agent on this state folder. */
export class AlreadyRunning extends Error {}

/** Makes this agent the only one on its state folder, for as long as the process lives. */
export class StateLock {
  readonly #directory: string;
  readonly #socketPath: string;
  #fd: number | undefined;

  constructor(directory: string, socketPath: string) {
    this.#directory = directory;
    this.#socketPath = socketPath;
  }

  /** Idempotent. @throws AlreadyRunning; what the folder answers that takes no lock */
  take(): void {
    if (this.#fd !== undefined) return;
    const path = join(this.#directory, "agent.lock");
    const fd = openSync(path, "a+", 0o600);
    if (!tryLock(fd)) {
      const holder = readFileSync(path, "utf8").trim();
      closeSync(fd);
      throw new AlreadyRunning(
        `An agent is already running on ${this.#directory}: ${holder || "it is just starting"}. Use it, end it first, or start this one with another --state, --socket and --port.`,
      );
    }
    this.#fd = fd;
    ftruncateSync(fd, 0);
    writeSync(fd, `pid ${process.pid}, socket ${this.#socketPath}\n`);
  }

  get isHeld(): boolean {
    return this.#fd !== undefined;
  }

  release(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { temporaryFolder } from "./harness.ts";

/** A unix datagram socket that somebody reads: Node has none. */
export class Datagrams implements Disposable {
  readonly path: string;
  readonly received: string[] = [];
  readonly #child: ChildProcess;
  readonly #folder = temporaryFolder();
  readonly #waiting = new Set<() => void>();

  private constructor(path?: string) {
    this.path = path ?? join(this.#folder, "socket");
    const program = fileURLToPath(new URL("datagrams.py", import.meta.url));
    this.#child = spawn("python3", [program, this.path], { stdio: ["ignore", "pipe", "inherit"] });
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      this.received.push(line === "bound" ? line : Buffer.from(line, "base64").toString());
      for (const wake of this.#waiting) wake();
      this.#waiting.clear();
    });
  }

  static async open(path?: string): Promise<Datagrams> {
    const datagrams = new Datagrams(path);
    await datagrams.sees(/^bound$/);
    return datagrams;
  }

  /** Resolves with the first that matches, of those that came and those that will. */
  async sees(pattern: RegExp): Promise<string> {
    for (;;) {
      const found = this.received.find((one) => pattern.test(one));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** From now on its queue fills. */
  stopReading(): void {
    this.#child.kill("SIGUSR1");
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";
import { liveHeapBytes } from "../apps/agent/test/live-heap.ts";
import { onAllCores, ROOT } from "./machine.ts";

const MAIN = join(ROOT, "apps/agent/dist/main.js");
const START_MS = 30_000;

/** A folder on the disk of the checkout: /tmp is memory on many machines, and then durable costs nothing. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(ROOT, "node_modules/.cache/bench-"));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

export interface BenchAgentOptions {
  args?: string[];
  /** For node itself. */
  nodeArgs?: string[];
  /** Pinned as we are, or free to use what the machine has. */
  cores?: "one" | "all";
  /** Holds its store and socket and stays; else a new one that goes with it. */
  folder?: string;
}

/** An agent of our own. */
export class BenchAgent implements AsyncDisposable {
  /** From before it was spawned until it said that it is ready. */
  readyMs = 0;
  readonly socket: string;
  readonly exited: Promise<void>;
  readonly #child: ChildProcess;
  readonly #folder: { path: string; remove(): void } | undefined;
  readonly #connections: Connection[] = [];
  #output = "";

  private constructor({ args = [], nodeArgs = [], cores = "one", folder: kept }: BenchAgentOptions) {
    if (!kept) this.#folder = temporaryFolder();
    const folder = kept ?? this.#folder!.path;
    // Relative: a socket's path has 107 bytes at most.
    this.socket = join(folder, "s");
    const places = ["--port", "0", "--state", join(folder, "state"), "--socket", this.socket];
    const node = [process.execPath, ...nodeArgs, MAIN, ...places, ...args];
    const [command, ...words] = cores === "all" ? onAllCores(node) : node;
    this.#child = spawn(command!, words, {
      stdio: ["ignore", "pipe", "pipe"],
      env: Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("LENDBUF_"))),
    });
    this.exited = new Promise((resolve) => this.#child.once("close", () => resolve()));
  }

  static async start(options: BenchAgentOptions = {}): Promise<BenchAgent> {
    const start = performance.now();
    const agent = new BenchAgent(options);
    await agent.#isReady();
    agent.readyMs = performance.now() - start;
    return agent;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Resident memory, in bytes. */
  get residentBytes(): number {
    return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${this.pid}/status`, "utf8"))![1]) * 1024;
  }

  /** Where the dashboard is. */
  get url(): string {
    return this.#said(/^Dashboard: (http:\/\/[^/\s]+)/m);
  }

  /** What its JavaScript keeps once all garbage is gone, in bytes; of one that was started with `--inspect=127.0.0.1:0`. */
  liveBytes(): Promise<number> {
    return liveHeapBytes(this.#said(/^Debugger listening on (\S+)$/m));
  }

  #said(line: RegExp): string {
    return line.exec(this.#output)![1]!;
  }

  async connect(): Promise<Connection> {
    const connection = await connect({ path: this.socket });
    this.#connections.push(connection);
    return connection;
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  /** Closes its clients, ends it and removes what was made for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    this.#child.kill("SIGTERM");
    await this.exited;
    this.#folder?.remove();
  }

  #isReady(): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => this.#child.kill("SIGKILL"), START_MS);
      this.#child.once("close", () => reject(new Error(`the agent did not start:\n${this.#output}`)));
      for (const stream of [this.#child.stdout!, this.#child.stderr!])
        stream.setEncoding("utf8").on("data", (text: string) => {
          this.#output += text;
          if (!this.#output.includes("\nReady: socket ")) return;
          clearTimeout(late);
          resolve();
        });
    });
  }
}

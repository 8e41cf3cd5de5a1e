import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";

/** The built agent in a process of its own, for cases in the lab machine. Its folder ends with the machine. */
export class GuestAgent implements AsyncDisposable {
  readonly socket: string;
  /** What it said until it was ready, line by line. */
  readonly said: string[] = [];
  readonly #folder: string;
  readonly #args: readonly string[];
  readonly #child: ChildProcess;
  readonly #connections: Connection[] = [];

  private constructor(args: readonly string[], folder: string) {
    this.#folder = folder;
    this.#args = args;
    this.socket = join(folder, "agent.sock");
    const places = ["--port", "0", "--state", join(folder, "state"), "--socket", this.socket];
    // Without source maps: to read them, at its first refusal, takes an agent in the machine several seconds.
    this.#child = spawn(process.execPath, ["apps/agent/dist/main.js", ...places, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** Resolves when it listens; the working folder is the checkout. */
  static async start(
    args: readonly string[] = [],
    folder = mkdtempSync(join(tmpdir(), "agent-")),
  ): Promise<GuestAgent> {
    const agent = new GuestAgent(args, folder);
    for await (const line of createInterface({ input: agent.#child.stdout! })) {
      agent.said.push(line);
      if (!line.startsWith("Ready: ")) continue;
      agent.#child.stdout!.resume(); // what it says later is nobody's, and must not fill the pipe
      return agent;
    }
    throw new Error(`The agent ended at its start:\n${agent.said.join("\n")}`);
  }

  async connect(): Promise<Connection> {
    const connection = await connect({ path: this.socket });
    this.#connections.push(connection);
    return connection;
  }

  /** Another one on the same store and socket, once this one has ended. */
  restart(args = this.#args): Promise<GuestAgent> {
    return GuestAgent.start(args, this.#folder);
  }

  /** Without a word. */
  kill(): Promise<void> {
    return this.#end("SIGKILL");
  }

  /** Closes its clients and ends it. Idempotent. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.#end("SIGTERM");
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const ended = once(this.#child, "exit");
    this.#child.kill(signal);
    await ended;
  }
}

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
  readonly #child: ChildProcess;
  readonly #connections: Connection[] = [];

  private constructor(args: readonly string[]) {
    const folder = mkdtempSync(join(tmpdir(), "agent-"));
    this.socket = join(folder, "agent.sock");
    const places = ["--port", "0", "--state", join(folder, "state"), "--socket", this.socket];
    this.#child = spawn(process.execPath, ["--enable-source-maps", "apps/agent/dist/main.js", ...places, ...args], {
      stdio: ["ignore", "pipe", "inherit"],
    });
  }

  /** Resolves when it listens; the working folder is the checkout. */
  static async start(args: readonly string[] = []): Promise<GuestAgent> {
    const agent = new GuestAgent(args);
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

  /** Closes its clients and ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    const ended = once(this.#child, "exit");
    this.#child.kill("SIGTERM");
    await ended;
  }
}

// A program that somebody runs in a terminal with the memory that the dashboard lends.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { compiled } from "../../agent/test/compiled.ts";
import type { AgentProcess } from "../../agent/test/harness.ts";

const LENDBUF = fileURLToPath(new URL("../../cli/bin/lendbuf.js", import.meta.url));

/** `lendbuf claim ID -- COMMAND` or `lendbuf exec …`, whose command maps the memory and reads what it is told to. */
export class Terminal implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;

  constructor(agent: AgentProcess, args: string[], size: number, options: string[] = []) {
    this.#child = spawn(process.execPath, [LENDBUF, ...args, "--", compiled("holder"), String(size), ...options], {
      env: { ...process.env, LENDBUF_SOCKET: agent.socket },
      stdio: ["pipe", "pipe", "ignore"],
    });
    this.#lines = createInterface({ input: this.#child.stdout! })[Symbol.asyncIterator]();
  }

  /** Resolves once it has mapped the memory. */
  async ready(): Promise<this> {
    const said = await this.#line();
    if (said !== "ok") throw new Error(`the program cannot map the memory: ${said}`);
    return this;
  }

  /** The bytes in hex, or "EFAULT" where the memory is gone. */
  async read(offset: number, length: number): Promise<string> {
    this.#child.stdin!.write(`read ${offset} ${length}\n`);
    return this.#line();
  }

  async #line(): Promise<string> {
    const { value, done } = await this.#lines.next();
    return done ? "it has ended" : value;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const exited = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await exited;
  }
}

// The built command line as processes of its own, against a real agent.
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { connect } from "@lendbuf/client/connect";

const MAIN = built("../dist/main.js");
export const AGENT = built("../../agent/dist/main.js");

function built(path: string): string {
  const file = fileURLToPath(new URL(path, import.meta.url));
  if (!existsSync(file)) throw new Error(`${file} is missing. Run: npm run build`);
  return file;
}

export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** A process whose output is read as it comes. */
export class Running {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  #stdout = "";
  #stderr = "";
  readonly #waiting = new Set<() => void>();

  constructor(child: ChildProcess) {
    this.child = child;
    child.stdout?.setEncoding("utf8").on("data", (text: string) => this.#take({ stdout: text }));
    child.stderr?.setEncoding("utf8").on("data", (text: string) => this.#take({ stderr: text }));
    child.stdin?.on("error", () => {});
    this.ended = once(child, "close").then(([code]) => {
      this.#take({});
      return { code, stdout: this.#stdout, stderr: this.#stderr };
    });
  }

  /** Resolves with the first match in what was, or will be, written. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
      if (match) return match;
      if (this.child.exitCode !== null && this.child.stdout?.destroyed)
        throw new Error(`ended without ${pattern}:\n${this.#stdout}${this.#stderr}`);
      await new Promise<void>((resolve) => this.#waiting.add(resolve));
    }
  }

  /** Sends a line to its stdin. */
  type(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  #take({ stdout = "", stderr = "" }): void {
    this.#stdout += stdout;
    this.#stderr += stderr;
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

export interface RunOptions {
  env?: Record<string, string>;
  uid?: number;
}

/** Starts `lendbuf` without waiting for its end. */
export function start(args: readonly string[], { env, uid }: RunOptions = {}): Running {
  const options = { env: { ...plainEnvironment(), ...env }, ...(uid !== undefined && { uid, gid: uid }) };
  return new Running(spawn(process.execPath, [MAIN, ...args], options));
}

/** Runs `lendbuf` to its end, with nothing on stdin. */
export async function run(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const running = start(args, options);
  running.child.stdin?.end();
  return running.ended;
}

/** Runs `lendbuf` on a terminal of its own; what is typed goes through that terminal. */
export function startOnTerminal(args: readonly string[], env: Record<string, string> = {}): Running {
  const command = [process.execPath, MAIN, ...args].map((word) => `'${word}'`).join(" ");
  const options = { env: { ...plainEnvironment(), TERM: "xterm", ...env } };
  // `exec`: a shell that stays would take the terminal's signals too, and end with a code of its own.
  return new Running(spawn("script", ["-qefc", `exec ${command}`, "/dev/null"], options));
}

function plainEnvironment(): Record<string, string | undefined> {
  const { COLUMNS, NO_COLOR, FORCE_COLOR, LENDBUF_SOCKET, ...rest } = process.env;
  return rest;
}

/** An agent's process, once it listens. */
async function startProcess(args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, args, {
    env: { LENDBUF_CONFIG: "none", LENDBUF_LOG: "error", ...process.env }, // whatever this host's own agent has
    stdio: ["ignore", "pipe", "inherit"],
  });
  for await (const line of createInterface({ input: child.stdout! })) if (line.startsWith("Ready: ")) break;
  child.stdout!.resume();
  if (child.exitCode !== null) throw new Error(`The agent ended at once (${child.exitCode}).`);
  return child;
}

/** An agent with the simulated device, and a store of its own. */
export class TestAgent implements AsyncDisposable {
  readonly directory: string;
  readonly socket: string;
  readonly #start: () => Promise<ChildProcess>;
  child: ChildProcess;

  private constructor(directory: string, socket: string, start: () => Promise<ChildProcess>, child: ChildProcess) {
    this.directory = directory;
    this.socket = socket;
    this.#start = start;
    this.child = child;
  }

  static start(...flags: string[]): Promise<TestAgent> {
    return TestAgent.startFrom(AGENT, ...flags);
  }

  /** Another build of the agent. */
  static async startFrom(main: string, ...flags: string[]): Promise<TestAgent> {
    const directory = mkdtempSync(join(tmpdir(), "lendbuf-cli-"));
    const socket = join(directory, "agent.sock");
    const args = [main, "--port", "0", "--state", join(directory, "state"), "--socket", socket, ...flags];
    const start = () => startProcess(args);
    return new TestAgent(directory, socket, start, await start());
  }

  /** The agent that follows one that has ended, on the same state. */
  async follow(): Promise<void> {
    this.child = await this.#start();
  }

  run(...args: string[]): Promise<Ended> {
    return run(args, { env: { LENDBUF_SOCKET: this.socket } });
  }

  async json<T>(...args: string[]): Promise<T> {
    const { code, stdout, stderr } = await this.run(...args, "--json");
    if (code !== 0) throw new Error(`exit ${code}: ${stderr}`);
    return JSON.parse(stdout) as T;
  }

  start(...args: string[]): Running {
    return start(args, { env: { LENDBUF_SOCKET: this.socket } });
  }

  startOnTerminal(...args: string[]): Running {
    return startOnTerminal(args, { LENDBUF_SOCKET: this.socket });
  }

  /** Everything that is lent, offered or waited for ends. */
  async clear(): Promise<void> {
    using connection = await connect({ path: this.socket });
    await connection.call("delegations.revokeAll");
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGKILL");
    await exited;
  }

  /** SIGINT: with all that it lent. */
  async endAll(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exited = once(this.child, "exit");
    this.child.kill("SIGINT");
    await exited;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.directory, { recursive: true });
  }
}

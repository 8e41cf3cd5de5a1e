// A real agent in a process of its own, with a folder and a socket of its own, for tests of the whole.
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";
import { RawClient } from "./raw-client.ts";

const MAIN = fileURLToPath(new URL("../dist/main.js", import.meta.url));
const START_MS = 45_000;
const STOP_MS = 45_000;

/** More than an answer takes on a slow, busy machine, and less than the time limits (5 s and up) for which somebody who is held up waits. */
export const PROMPT_MS = 4000;

export interface AgentOptions {
  /** Further command line arguments. */
  args?: string[];
  /** For node itself. */
  nodeArgs?: string[];
  env?: Record<string, string>;
  /** An agent's that was there before; else a new one, which `stop` removes. */
  state?: string;
  socket?: string;
  /** Whose process it is to be, where the tests run as root; its group has the same number. */
  uid?: number;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

/** A running agent. */
export class AgentProcess implements AsyncDisposable {
  readonly socket: string;
  readonly state: string;
  readonly exited: Promise<Exit>;
  /** All that it printed so far. */
  output = "";
  readonly #child: ChildProcess;
  readonly #folder: string | undefined;
  readonly #clients: { close(): void }[] = [];

  constructor({ args = [], nodeArgs = [], env = {}, state, socket, uid }: AgentOptions) {
    if (!existsSync(MAIN)) throw new Error("The agent is not built. Run: npm run build");
    this.#folder = state && socket ? undefined : temporaryFolder();
    if (this.#folder && uid !== undefined) chownSync(this.#folder, uid, uid);
    this.state = state ?? join(this.#folder!, "state");
    this.socket = socket ?? join(this.#folder!, "agent.sock");
    this.#child = spawn(
      process.execPath,
      [...nodeArgs, MAIN, "--port", "0", "--state", this.state, "--socket", this.socket, ...args],
      { env: environment(env), stdio: ["ignore", "pipe", "pipe"], ...(uid !== undefined && { uid, gid: uid }) },
    );
    for (const stream of [this.#child.stdout!, this.#child.stderr!])
      stream.setEncoding("utf8").on("data", (text: string) => {
        this.output += text;
      });
    this.exited = new Promise((resolve) => {
      this.#child.once("close", (code, signal) => resolve({ code, signal }));
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Where it answers over HTTP. */
  get url(): string {
    return /Dashboard: (http:\/\/[\d.:]+)/.exec(this.output)?.[1] ?? "";
  }

  /** Of Node's inspector; of one that was started with `--inspect=127.0.0.1:0`. */
  get inspector(): string {
    return /^Debugger listening on (\S+)$/m.exec(this.output)![1]!;
  }

  /** The processes that hold its devices. */
  get wardens(): number[] {
    return childrenOf(this.pid);
  }

  /** Resolves when it listens. */
  async ready(): Promise<this> {
    const { stdout } = this.#child;
    const listens = new Promise<boolean>((resolve) => {
      const look = () => this.output.includes("\nReady: socket ") && resolve(true);
      stdout!.on("data", look);
      look();
    });
    const end = this.exited.then(() => false);
    if (await within(START_MS, Promise.race([listens, end]), () => `the agent does not start:\n${this.output}`))
      return this;
    throw new Error(`the agent ended at its start:\n${this.output}`);
  }

  /** A client of packages/client; closed at `stop`, at the latest. */
  async connect(): Promise<Connection> {
    const connection = await connect({ path: this.socket });
    this.#clients.push(connection);
    return connection;
  }

  /** A client that speaks packets; closed at `stop`, at the latest. */
  raw(options?: { reads?: boolean }): RawClient {
    const client = new RawClient(this.socket, options);
    this.#clients.push(client);
    return client;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGKILL, and waits until it is gone. */
  async crash(): Promise<Exit> {
    this.kill("SIGKILL");
    return this.exited;
  }

  /** Closes its clients, ends it (SIGTERM), and removes what was made for it. Idempotent. */
  async stop(): Promise<Exit> {
    for (const client of this.#clients.splice(0)) client.close();
    this.kill("SIGTERM");
    try {
      return await within(STOP_MS, this.exited, () => `the agent does not end:\n${this.output}`);
    } finally {
      this.kill("SIGKILL");
      await this.exited;
      if (this.#folder) rmSync(this.#folder, { recursive: true, force: true });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

/** Starts an agent of its own; resolves when it listens. */
export async function startAgent(options: AgentOptions = {}): Promise<AgentProcess> {
  const agent = new AgentProcess(options);
  try {
    return await agent.ready();
  } catch (error) {
    await agent.stop();
    throw error;
  }
}

/** Runs an agent that is expected to refuse: resolves with how it ended and what it said. */
export async function runAgent(
  args: string[],
  env: Record<string, string> = {},
): Promise<Exit & { stdout: string; stderr: string }> {
  const child = spawn(process.execPath, [MAIN, ...args], { env: environment(env), stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", stderr: "" };
  child.stdout.setEncoding("utf8").on("data", (text: string) => (said.stdout += text));
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said.stderr += text));
  const exited = new Promise<Exit>((resolve) => child.once("close", (code, signal) => resolve({ code, signal })));
  try {
    return { ...(await within(START_MS, exited, () => `it goes on running: ${said.stdout}`)), ...said };
  } finally {
    child.kill("SIGKILL");
  }
}

/** A client that minds its own business beside a test: it has a buffer, and asks all the time. */
export async function startBystander(agent: AgentProcess, buffer = "sim0/ddr"): Promise<Bystander> {
  const connection = await agent.connect();
  const lease = await connection.borrow({ buffer, purpose: "bystander" });
  const mapping = lease.map();
  mapping.write(0, Buffer.from("bystander"));
  return {
    id: lease.delegation.id,
    async check() {
      const start = performance.now();
      const { state } = await connection.call("delegations.get", { id: lease.delegation.id });
      if (state !== "active") throw new Error(`the bystander's delegation is ${state}`);
      const bytes = new Uint8Array(9);
      mapping.read(0, bytes);
      if (Buffer.from(bytes).toString() !== "bystander") throw new Error("the bystander's memory has changed");
      return performance.now() - start;
    },
    async stop() {
      await lease.release();
      connection.close();
    },
  };
}

export interface Bystander {
  /** Of its delegation. */
  id: number;
  /** It is answered, its delegation lives and its memory reads as before; else this throws. Gives the milliseconds that it took. */
  check(): Promise<number>;
  stop(): Promise<void>;
}

let ordinary: { uid?: number } | undefined;

/** Whom to be in order to have no special rights: ourselves, or where the tests run as root somebody else, if the checkout is open to others. */
export function ordinaryUser(): { uid?: number } {
  if (ordinary) return ordinary;
  const uid = 1234;
  const look = () => spawnSync(process.execPath, ["-e", "fs.accessSync(process.argv[1])", MAIN], { uid, gid: uid });
  ordinary = process.getuid!() !== 0 ? {} : look().status === 0 ? { uid } : {};
  if (process.getuid!() === 0 && !ordinary.uid)
    console.log(
      `${MAIN} is closed to other users, so the agent runs as root here. Open its folders (chmod o+x) for the ordinary case.`,
    );
  return ordinary;
}

/** Also of one that nobody waits for: a zombie runs no more. */
export function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

/** How many files a process has open. */
export function openFiles(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** What a process has open, by what it is; for messages that tell a leak. */
export function openFileNames(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).map((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`);
    } catch {
      return "closed meanwhile";
    }
  });
}

/** Resident memory, in bytes. */
export function memoryOf(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]) * 1024;
}

/** Looks every few milliseconds until it is so; for what the kernel tells nobody about. */
export async function until(isSo: () => boolean | Promise<boolean>, what: string, withinMs = 30_000): Promise<void> {
  const end = performance.now() + withinMs;
  while (!(await isSo())) {
    if (performance.now() > end) throw new Error(`not within ${withinMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function temporaryFolder(): string {
  return mkdtempSync(join(tmpdir(), "lendbuf-test-"));
}

function childrenOf(pid: number): number[] {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

/** Ours without what would lead the agent elsewhere. */
function environment(more: Record<string, string>): NodeJS.ProcessEnv {
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("LENDBUF_") || name === "LENDBUF_WARDEN");
  return { ...Object.fromEntries(own), LENDBUF_CONFIG: "none", ...more }; // whatever this host's own agent has
}

async function within<T>(ms: number, promise: Promise<T>, words: () => string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(words())), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

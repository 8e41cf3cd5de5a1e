// A client in a process of its own, which does what it is told: one that speaks packets, in C, or a program on our TypeScript or
// Python client.
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type ClientOptions, type ClientProcess, startClient } from "../client-process.ts";

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  result?: any;
  error?: { code: string; message: string };
  /** By which the worker knows the memory that came; -1: none. */
  handle: number;
}

export type Lending = "delegations.borrow" | "delegations.claim";
export type Touch = "read" | "write";

export interface Worker {
  readonly kind: string;
  /** Rejects with ConnectionGone where the agent has hung up. */
  call(method: string, input: object): Promise<Answer>;
  lend(method: Lending, input: object): Promise<Answer>;
  /** What a real load or store of the memory comes to: "ok", "EFAULT", "EPERM"; "gone" where the process has ended. */
  touch(handle: number, how: Touch): Promise<string>;
  /** Closes the descriptor of what was given back. */
  forget(handle: number): void;
  /** SIGKILL, and waits until it is gone; idempotent. */
  kill(): Promise<void>;
}

export class ConnectionGone extends Error {}

export type StartWorker = (socket: string, who: ClientOptions) => Promise<Worker>;

/** Speaks packets. */
export async function startPackets(socket: string, who: ClientOptions): Promise<Worker> {
  const client = await startClient(socket, who).catch(gone);
  const ask = async (method: string, input: object): Promise<Answer> => {
    const { result, error, fd } = await client.ask(method, input).catch(gone);
    return { result, ...(error && { error: { code: error.data.code, message: error.message } }), handle: fd };
  };
  return {
    kind: "C",
    call: ask,
    lend: ask,
    touch: (handle, how) => client.tell(`${how} ${handle}`),
    forget: (handle) => void client.tell(`close ${handle}`),
    kill: () => endOf(client),
  };
}

function endOf(client: ClientProcess): Promise<void> {
  return client.stop();
}

function gone(cause: unknown): never {
  throw new ConnectionGone((cause as Error).message, { cause });
}

/** A program that takes a JSON line for each thing to do, and answers with one. */
class ProgramWorker implements Worker {
  readonly kind: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<void>;
  readonly #waiting: ((line: string) => void)[] = [];
  #isGone = false;

  constructor(kind: string, command: readonly string[], { uid, gid }: ClientOptions) {
    this.kind = kind;
    this.#child = spawn(command[0]!, command.slice(1), {
      stdio: ["pipe", "pipe", "inherit"],
      cwd: "/",
      ...(uid !== undefined && { uid, gid: gid ?? uid }),
    });
    this.#child.stdin!.on("error", () => {}); // it has ended: the answers say so
    createInterface({ input: this.#child.stdout! }).on("line", (line) => this.#waiting.shift()?.(line));
    this.#exited = new Promise((resolve) => {
      this.#child.once("close", () => {
        this.#isGone = true;
        for (const take of this.#waiting.splice(0)) take('{"gone":true}');
        resolve();
      });
    });
  }

  /** Resolves when it is connected. */
  async connected(): Promise<this> {
    const answer = await this.#line();
    if (answer.connected) return this;
    await this.kill();
    throw new ConnectionGone(answer.lost ?? "it has ended at its start");
  }

  call(method: string, input: object): Promise<Answer> {
    return this.#ask({ do: "call", method, input });
  }

  lend(method: Lending, input: object): Promise<Answer> {
    return this.#ask({ do: method.split(".")[1], input });
  }

  async touch(handle: number, how: Touch): Promise<string> {
    const { touched, gone } = await this.#tell({ do: how, handle });
    return gone ? "gone" : touched;
  }

  forget(handle: number): void {
    void this.#tell({ do: "forget", handle });
  }

  async kill(): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#exited;
  }

  async #ask(command: object): Promise<Answer> {
    const { result, error, handle = -1, lost, gone } = await this.#tell(command);
    if (lost !== undefined || gone) throw new ConnectionGone(lost ?? "the process has ended");
    return { result, ...(error && { error }), handle };
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a program says is as it is
  #tell(command: object): Promise<any> {
    if (!this.#isGone) this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
    return this.#line();
  }

  // biome-ignore lint/suspicious/noExplicitAny: what a program says is as it is
  #line(): Promise<any> {
    if (this.#isGone) return Promise.resolve({ gone: true });
    return new Promise((resolve) => this.#waiting.push((line) => resolve(JSON.parse(line))));
  }
}

const PYTHON = fileURLToPath(new URL("worker.py", import.meta.url));

/** On the Python client. */
export function startPython(socket: string, who: ClientOptions): Promise<Worker> {
  return new ProgramWorker("Python", ["python3", PYTHON, socket], who).connected();
}

/** On the TypeScript client; `program` is worker-program.ts as one file. */
export function typeScript(program: string): StartWorker {
  return (socket, who) => new ProgramWorker("TypeScript", [process.execPath, program, socket], who).connected();
}

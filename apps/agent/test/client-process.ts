import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { compiled } from "./compiled.ts";
import { Board, Readers, type ReadersOptions, readersCommand } from "./readers.ts";

export interface ClientOptions {
  uid?: number;
  gid?: number;
}

/** What the agent answered, and which of the client's fds came with it. */
export interface Reply {
  id?: number;
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  result?: any;
  error?: { message: string; data: { code: string } };
  /** Of a subscription's event. */
  // biome-ignore lint/suspicious/noExplicitAny: any event at all may come
  params?: any;
  /** -1: none. */
  fd: number;
  /** CLOCK_MONOTONIC (process.hrtime) in the client once it had been read. */
  atNs: bigint;
}

/** A client in a process of its own, which can be stopped and killed. What it is sent it reads when it is told. */
export class ClientProcess {
  readonly pid: number;
  readonly exited: Promise<void>;
  readonly board = new Board();
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #readers: Readers[] = [];
  #lastId = 0;
  #isGone = false;

  constructor(socket: string, { uid, gid }: ClientOptions = {}) {
    this.#child = spawn(compiled("client"), [socket], {
      ...(uid !== undefined && { uid, gid: gid ?? uid }),
      stdio: ["pipe", "pipe", "inherit", "pipe", this.board.fd],
    });
    this.pid = this.#child.pid!;
    this.#child.stdin!.on("error", () => {}); // it has ended: the answers say so
    createInterface({ input: this.#child.stdout! }).on("line", (line) => {
      const take = this.#waiting.shift();
      if (take) take(line);
      else this.#lines.push(line);
    });
    this.exited = new Promise((resolve) => {
      this.#child.once("exit", () => {
        this.#isGone = true;
        for (const take of this.#waiting.splice(0)) take("gone");
        resolve();
      });
    });
  }

  /** Does what client.c knows, and gives its answer. */
  tell(command: string): Promise<string> {
    if (!this.#isGone) this.#child.stdin!.write(`${command}\n`);
    return this.line();
  }

  line(): Promise<string> {
    const line = this.#lines.shift();
    if (line !== undefined) return Promise.resolve(line);
    if (this.#isGone) return Promise.resolve("gone");
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Sends a request and does not read what comes back. */
  async begin(method: string, params: object = {}): Promise<void> {
    const answer = await this.tell(`send ${this.packet(method, params)}`);
    if (answer !== "sent") throw new Error(`the client cannot send: ${answer}`);
  }

  packet(method: string, params: object): string {
    return JSON.stringify({ jsonrpc: "2.0", id: ++this.#lastId, method, params });
  }

  /** Resolves when something to read has come. */
  arrived(): Promise<string> {
    return this.tell("arrived");
  }

  async receive(): Promise<Reply> {
    const line = await this.tell("receive");
    const [, fd, at, json] = /^(-?\d+) (\d+) (.*)$/.exec(line) ?? [];
    if (json === undefined) throw new Error(`the client gets no answer: ${line}`);
    return { ...JSON.parse(json), fd: Number(fd), atNs: BigInt(at!) };
  }

  /** Events and other answers that come before its own are left out. */
  async ask(method: string, params: object = {}): Promise<Reply> {
    await this.begin(method, params);
    const id = this.#lastId;
    for (;;) {
      const reply = await this.receive();
      if (reply.id === id) return reply;
    }
  }

  /** What was asked for; a refusal throws. */
  async must(method: string, params: object = {}): Promise<Reply> {
    const reply = await this.ask(method, params);
    if (reply.error) throw new Error(`${method} was refused: ${reply.error.data.code}: ${reply.error.message}`);
    return reply;
  }

  async borrow(input: object): Promise<{ delegation: Delegation; fd: number }> {
    const { result, fd } = await this.must("delegations.borrow", input);
    return { delegation: result.delegation, fd };
  }

  /** Follows a delegation to its end: the state in which it ended, and when that was known here. Nothing else may be asked meanwhile. */
  async followToEnd(id: number): Promise<{ delegation: Delegation; atNs: bigint }> {
    await this.must("delegations.follow", { id });
    return this.awaitEnd();
  }

  /** What `delegations.follow`, asked before, tells at last. */
  async awaitEnd(): Promise<{ delegation: Delegation; atNs: bigint }> {
    for (;;) {
      const { params, atNs } = await this.receive();
      if (params?.data && isFinal(params.data.state)) return { delegation: params.data, atNs };
    }
  }

  /** Gives one of its fds to processes that read; once per client. They outlive it. */
  async lend(fd: number, options: ReadersOptions): Promise<Readers> {
    const pid = Number(await this.tell(`lend ${fd} ${readersCommand(options).join(" ")}`));
    const readers = new Readers(pid, this.#child.stdio[3] as Readable, this.board, options);
    this.#readers.push(readers);
    await readers.reading();
    return readers;
  }

  /** What one of its fds gives: "size 4096, read 1, mapping ok". */
  inspect(fd: number): Promise<string> {
    return this.tell(`inspect ${fd}`);
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** SIGKILL, and waits until it is gone. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.exited;
  }

  /** Ends it and its readers; idempotent. */
  async stop(): Promise<void> {
    await this.kill();
    for (const readers of this.#readers.splice(0)) await readers.stop();
    this.board.close();
  }
}

/** Resolves when it is connected. */
export async function startClient(socket: string, options?: ClientOptions): Promise<ClientProcess> {
  const client = new ClientProcess(socket, options);
  const answer = await client.line();
  if (answer === "connected") return client;
  await client.kill();
  throw new Error(`the client cannot connect to ${socket}: ${answer}`);
}

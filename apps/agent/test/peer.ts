import { type ChildProcess, spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const PROGRAM = readFileSync(new URL("peer.py", import.meta.url), "utf8");

export interface PeerAnswer {
  /** An errno's name. */
  error?: string;
  connected?: number;
  sent?: number;
  text?: string;
  fds?: number;
  /** The kernel set MSG_CTRUNC. */
  truncated?: boolean;
  /** The connection is over. */
  end?: boolean;
  totals?: number[];
  /** Nothing came in time. */
  silence?: boolean;
}

export interface PeerOptions {
  uid?: number;
  gid?: number;
  /** What starts it: `["unshare", "--user"]`. */
  within?: string[];
}

/** A client in a process of its own, under a uid of its own where that is asked for: sends what Node cannot. */
export class Peer {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #readers: { resolve(answer: PeerAnswer): void; reject(error: Error): void }[] = [];

  constructor({ uid, gid = uid, within = [] }: PeerOptions = {}) {
    // The program travels in the argument: another uid may not be able to read this folder.
    const [command, ...args] = [...within, "python3", "-c", PROGRAM];
    this.#child = spawn(command!, args, {
      stdio: ["pipe", "pipe", "inherit"],
      cwd: "/",
      ...(uid !== undefined && { uid, gid }),
    });
    this.pid = this.#child.pid!;
    this.#child.stdin!.on("error", () => {}); // it has ended: the answers reject
    createInterface({ input: this.#child.stdout! }).on("line", (line) =>
      this.#readers.shift()?.resolve(JSON.parse(line) as PeerAnswer),
    );
    this.#child.once("close", () => {
      for (const { reject } of this.#readers.splice(0)) reject(new Error("the peer has ended"));
    });
  }

  connect(path: string, count = 1): Promise<PeerAnswer> {
    return this.#tell({ do: "connect", path, count });
  }

  storm(path: string, count: number): Promise<PeerAnswer> {
    return this.#tell({ do: "storm", path, count });
  }

  send(packet: { text?: string; hex?: string; repeat?: number; fds?: number; credentials?: boolean; to?: number }) {
    return this.#tell({ do: "send", ...packet });
  }

  receive(options: { to?: number; control?: number; timeout?: number } = {}): Promise<PeerAnswer> {
    return this.#tell({ do: "receive", ...options });
  }

  /** Receives until so many `delegations.watch` have told of this total, or of any; `totals` are the last ones. */
  drain(options: { to?: number; subscriptions: number; total?: number }): Promise<PeerAnswer> {
    return this.#tell({ do: "drain", ...options });
  }

  /** One request and its answer, parsed. */
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  async ask(method: string, params: unknown = {}): Promise<any> {
    await this.send({ text: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }) });
    const answer = await this.receive();
    if (answer.text === undefined) throw new Error(`no answer: ${JSON.stringify(answer)}`);
    return JSON.parse(answer.text);
  }

  close(): Promise<PeerAnswer> {
    return this.#tell({ do: "close" });
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ends the process; its connections end with it. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("close", resolve));
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGKILL");
    await gone;
  }

  #tell(command: object): Promise<PeerAnswer> {
    return new Promise((resolve, reject) => {
      this.#readers.push({ resolve, reject });
      this.#child.stdin!.write(`${JSON.stringify(command)}\n`);
    });
  }
}

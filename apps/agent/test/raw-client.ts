import { closeSync } from "node:fs";
import { connectPacketSocket, type PacketSocket, type SystemError } from "@lendbuf/native/addon";

export interface RawPacket {
  text: string;
  /** Parsed; what a test looks into is its own business. */
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  json: any;
  fds: number[];
}

/** The end of the connection in place of a packet. */
export interface Closed {
  closed: true;
  error: SystemError | undefined;
}

/** Speaks packets, well-formed or not. */
export class RawClient {
  readonly #socket: PacketSocket;
  readonly #arrived: (RawPacket | Closed)[] = [];
  readonly #readers: ((packet: RawPacket | Closed) => void)[] = [];
  #ended: Closed | undefined;
  #lastId = 0;
  readonly #fds: number[] = [];

  /** With `reads` false it never takes what the agent sends. */
  constructor(path: string, { reads = true }: { reads?: boolean } = {}) {
    this.#socket = connectPacketSocket(path);
    if (reads) this.read();
  }

  /** Begins to take what the agent sends. */
  read(): void {
    this.#socket.start({
      encoding: "utf8",
      acceptFds: true,
      onPacket: (text, fds) => {
        this.#fds.push(...fds);
        this.#arrive({ text, json: parse(text), fds });
      },
      onClose: (error) => {
        this.#ended = { closed: true, error };
        this.#arrive(this.#ended);
      },
    });
  }

  send(packet: string | Uint8Array | object, fds: number[] = []): number {
    const isRaw = typeof packet === "string" || packet instanceof Uint8Array;
    return this.#socket.send(isRaw ? packet : JSON.stringify(packet), fds);
  }

  /** What comes next: a packet, or the end of the connection. */
  next(): Promise<RawPacket | Closed> {
    const packet = this.#arrived.shift();
    if (packet) return Promise.resolve(packet);
    if (this.#ended) return Promise.resolve(this.#ended);
    return new Promise((resolve) => this.#readers.push(resolve));
  }

  /** The next packet; the end of the connection throws. */
  async packet(): Promise<RawPacket> {
    const next = await this.next();
    if ("closed" in next) throw new Error(`the agent closed the connection${next.error ? `: ${next.error.code}` : ""}`);
    return next;
  }

  /** Sends one request and gives its answer; events and other answers that come before are left out. */
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  async ask(method: string, params?: unknown): Promise<any> {
    const id = this.begin(method, params);
    for (;;) {
      const { json } = await this.packet();
      if (json?.id === id) return json;
    }
  }

  /** Sends a request and gives its id. */
  begin(method: string, params?: unknown): number {
    const id = ++this.#lastId;
    this.send({ jsonrpc: "2.0", id, method, ...(params !== undefined && { params }) });
    return id;
  }

  /** Closes the connection and every fd that came. Idempotent. */
  close(): void {
    this.#socket.close();
    this.#ended ??= { closed: true, error: undefined };
    for (const fd of this.#fds.splice(0)) closeSync(fd);
  }

  #arrive(packet: RawPacket | Closed): void {
    const reader = this.#readers.shift();
    if (reader) reader(packet);
    else this.#arrived.push(packet);
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

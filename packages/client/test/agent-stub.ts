// The agent's end of the wire, answered by hand: for what the real agent would not say on command.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PacketServer, type PacketSocket } from "@lendbuf/native/addon";
import { connect } from "../src/connect.ts";
import type { Connection } from "../src/connection.ts";

export interface Request {
  id: number;
  method: string;
  params?: unknown;
}

export class AgentStub implements Disposable {
  readonly path: string;
  readonly #directory = mkdtempSync(join(tmpdir(), "lendbuf-client-"));
  readonly #server: PacketServer;
  readonly #requests: Request[] = [];
  readonly #readers: ((request: Request) => void)[] = [];
  readonly #accepted: Promise<void>;
  #socket!: PacketSocket;
  /** Resolves when the client has closed its end. */
  readonly disconnected: Promise<void>;
  /** Whether it hangs up on whoever comes next. */
  turnsAway = false;

  constructor() {
    this.path = join(this.#directory, "agent.sock");
    let onClose: () => void;
    let onAccepted: () => void;
    this.#accepted = new Promise((resolve) => {
      onAccepted = resolve;
    });
    this.disconnected = new Promise((resolve) => {
      onClose = resolve;
    });
    this.#server = new PacketServer({
      path: this.path,
      mode: 0o600,
      onError: (error) => {
        throw error;
      },
      onConnection: (socket) => {
        if (this.turnsAway) return socket.close();
        this.#socket = socket;
        onAccepted();
        socket.start({ encoding: "utf8", acceptFds: false, onPacket: (text) => this.#take(JSON.parse(text)), onClose });
      },
    });
  }

  /** Returns when the stub, too, has the connection. */
  async connect(): Promise<Connection> {
    const connection = await connect({ path: this.path });
    await this.#accepted;
    return connection;
  }

  /** The next request that was not read yet. */
  request(): Promise<Request> {
    const request = this.#requests.shift();
    return request ? Promise.resolve(request) : new Promise((resolve) => this.#readers.push(resolve));
  }

  send(packet: object | string, fds: readonly number[] = []): void {
    this.#socket.send(typeof packet === "string" ? packet : JSON.stringify({ jsonrpc: "2.0", ...packet }), fds);
  }

  hangUp(): void {
    this.#socket.close();
  }

  [Symbol.dispose](): void {
    this.#socket?.close();
    this.#server.close();
    rmSync(this.#directory, { recursive: true });
  }

  #take(request: Request): void {
    const reader = this.#readers.shift();
    if (reader) reader(request);
    else this.#requests.push(request);
  }
}

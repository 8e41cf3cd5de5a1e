import { closeSync, readFileSync } from "node:fs";
import { isSystemError, type PacketSocket, type SystemError } from "@lendbuf/native/addon";
import type { AnyTRPCRouter } from "@trpc/server";
import type { Caller, Core } from "../core.ts";
import type { Claimant, Live } from "../delegations/live.ts";
import { onDisconnect } from "../revocation/triggers.ts";
import { startTimeBefore } from "../wardens/start-time.ts";
import { Requests, type Wire } from "./requests.ts";

const MAX_PACKET = 65_536;
/** A subscription waits for a client that has so much unread here; a client that goes on asking is not read any more. */
const SLOW_READER_BYTES = 64 * 1024;
/** How long a claim waits for the client to read the one before. */
const UNREAD_MS = 1000;
const LOOK_AGAIN_MS = 2;

const FAREWELLS: Record<string, string | undefined> = {
  EMSGSIZE: `The packet has more than ${MAX_PACKET} bytes. Ask for less at a time. The connection is closed.`,
  EPROTO: "The packet carries file descriptors, or is empty: the agent takes neither. The connection is closed.",
};

/** A client of the socket: one connection of one process. */
export class Connection implements Claimant, Wire {
  readonly pid: number;
  readonly uid: number;
  readonly holding = new Set<Live>();
  readonly #socket: PacketSocket;
  readonly #core: Core;
  readonly #caller: Caller;
  readonly #requests: Requests;
  readonly #onClose: () => void;
  readonly #connectedAt: number;
  #command: string | null | undefined;
  #startTime: number | null | undefined;
  #closed = false;
  #drained: (() => void)[] = [];
  /** Subscriptions that wait for room before they look. Each sends when it is woken, so they are woken one by one. */
  readonly #waiting: (() => void)[] = [];
  /** An fd in flight is a kernel quota that all clients share, so each connection has one unread at most. */
  #fdSent = false;

  constructor(core: Core, router: AnyTRPCRouter, socket: PacketSocket, caller: Caller, onClose: () => void) {
    this.#core = core;
    this.#connectedAt = core.clock.now();
    this.#caller = caller;
    this.#socket = socket;
    this.#onClose = onClose;
    this.pid = socket.peer.pid;
    this.uid = socket.peer.uid;
    this.#requests = new Requests(router, { core, caller }, this, this);
    socket.start({
      encoding: "utf8",
      acceptFds: false,
      onPacket: (text) => this.#requests.take(text),
      onClose: (error) => this.#onSocketClosed(error),
      onDrain: () => this.#wakeDrained(),
    });
  }

  get account(): string {
    return this.#caller.account;
  }

  get isClosed(): boolean {
    return this.#closed;
  }

  /** The peer's command, as long as it can be told that the pid is still the peer's. */
  get command(): string | null {
    if (this.#command === undefined) this.#command = commandOf(this.#socket, this.pid);
    return this.#command;
  }

  get startTime(): number | null {
    if (this.#startTime === undefined) this.#startTime = startTimeBefore(this.pid, this.#connectedAt);
    return this.#startTime;
  }

  send(message: object): Promise<void> | undefined {
    if (this.#closed) return undefined;
    try {
      const queued = this.#socket.send(JSON.stringify(message));
      if (queued > SLOW_READER_BYTES) return new Promise((resolve) => this.#drained.push(resolve));
      this.#waiting.shift()?.();
    } catch (cause) {
      this.#failSend(message, cause);
    }
    return undefined;
  }

  room(): Promise<void> | undefined {
    if (this.#closed || this.#socket.queued <= SLOW_READER_BYTES) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  async sendFd(message: object, fdOf: () => number): Promise<boolean> {
    const until = this.#core.clock.now() + UNREAD_MS;
    while (this.#fdSent && this.#socket.hasUnread()) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
      if (this.#closed) return true; // its delegations end with it
      if (this.#core.clock.now() > until) return false;
    }
    const fd = fdOf();
    try {
      this.#socket.send(JSON.stringify(message), [fd]);
      this.#fdSent = true;
    } catch (cause) {
      this.#failSend(message, cause);
    }
    return true;
  }

  #failSend(message: object, cause: unknown): void {
    if (!isSystemError(cause) || cause.code !== "EMSGSIZE") return void this.drop();
    const { id } = message as { id?: unknown };
    const error = {
      code: -32603,
      message: `The answer does not fit into a packet of ${MAX_PACKET} bytes. Ask for less at a time (limit).`,
      data: { code: "LIMIT" },
    };
    if (id !== undefined) this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, error }));
  }

  drop(): undefined {
    this.#socket.close();
    this.#end();
    return undefined;
  }

  /** Where the client sent what is no packet of ours, it hears why before it is cut off. */
  #onSocketClosed(error: SystemError | undefined): void {
    const message = error && FAREWELLS[error.code];
    if (message) {
      try {
        this.#socket.send(
          JSON.stringify({ jsonrpc: "2.0", id: null, error: { code: -32600, message, data: { code: "BAD_INPUT" } } }),
        );
      } catch {
        // It has gone, or reads no more.
      }
    }
    this.#end();
  }

  #end(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#requests.close();
    this.#wakeDrained();
    for (const wake of this.#waiting.splice(0)) wake();
    if (!this.#core.doors.isLeaving) onDisconnect(this.#core, this);
    this.#onClose();
  }

  #wakeDrained(): void {
    const waiting = this.#drained;
    this.#drained = [];
    for (const wake of waiting) wake();
    this.#waiting.shift()?.();
  }
}

function commandOf(socket: PacketSocket, pid: number): string | null {
  try {
    const pidfd = socket.peerPidfd();
    try {
      const command = readFileSync(`/proc/${pid}/comm`, "utf8").trimEnd();
      // Still the same process after the look: its pid was not reused in between.
      return readFileSync(`/proc/self/fdinfo/${pidfd}`, "utf8").includes(`\nPid:\t${pid}\n`) ? command : null;
    } finally {
      closeSync(pidfd);
    }
  } catch {
    return null;
  }
}

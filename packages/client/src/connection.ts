import { closeSync } from "node:fs";
import { isSystemError, type PacketSocket, type Peer, type SystemError } from "@lendbuf/native/addon";
import type { Claimed, Input, Output, Subscription } from "@lendbuf/shared/api";
import type { Arguments, CallOptions, Calls, LendingCall, PlainCall } from "./calls.ts";
import { ConnectionLost, errorFromWire, type WireError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Lease } from "./lease.ts";
import { type BorrowTerms, borrowInput, inPatience } from "./terms.ts";

interface Pending {
  /** `fds` are its to close. */
  resolve(result: unknown, fds: number[]): void;
  reject(error: unknown): void;
}

interface Packet {
  id?: number | null;
  result?: unknown;
  error?: WireError;
  method?: string;
  params?: { subscription: number; data?: unknown; done?: boolean; error?: WireError };
}

/** A connection to an agent. Delegations that are claimed through it end with it, unless they are kept. */
export class Connection implements Calls {
  /** Where the agent listens. */
  readonly path: string;
  /** The agent's process, as the kernel knows it. */
  readonly agent: Peer;
  /** Resolves, and never rejects, when the connection has ended: with the reason, or with undefined after close(). */
  readonly closed: Promise<ConnectionLost | undefined>;
  readonly #socket: PacketSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #feeds = new Map<number, Feed<unknown>>();
  #resolveClosed!: (reason: ConnectionLost | undefined) => void;
  #lastId = 0;
  #lost: ConnectionLost | undefined;
  /** What the agent said without being asked; it closes the connection next. */
  #complaint: string | undefined;

  /** Takes over a connected socket that was not started. */
  constructor(path: string, socket: PacketSocket) {
    this.path = path;
    this.agent = socket.peer;
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    socket.start({
      encoding: "utf8",
      acceptFds: true,
      onPacket: (text, fds) => this.#receive(text, fds),
      onClose: (error) => this.#onClose(error),
    });
  }

  /** Rejects with an AgentError, a RemoteSystemError, ConnectionLost, or the signal's reason. */
  call<M extends PlainCall>(method: M, ...[input, options]: Arguments<M>): Promise<Output<M>> {
    return this.#request(method, input, options, (result: Output<M>, fds) => {
      closeAll(fds);
      return result;
    });
  }

  /**
   * Requests a buffer and claims it in one step; with `wait` it resolves when its turn has come. Takes the buffer's name and terms in
   * words (`borrow("sim0/ch0", { for: "1h", readOnly: true })`), or the method's input as the protocol has it.
   * Rejects as a call does, with StillTaken where the wait is over, and with RangeError where a duration is none.
   */
  borrow(buffer: string, terms?: BorrowTerms): Promise<Lease>;
  borrow(input: Input<"delegations.borrow">, options?: CallOptions): Promise<Lease>;
  async borrow(what: string | Input<"delegations.borrow">, how: BorrowTerms = {}): Promise<Lease> {
    if (typeof what !== "string") return this.#lend("delegations.borrow", what, how);
    const input = borrowInput(what, how);
    return inPatience(what, how, (options) => this.#lend("delegations.borrow", input, options));
  }

  /** Takes what was offered. */
  claim(id: number, options?: CallOptions): Promise<Lease> {
    return this.#lend("delegations.claim", { id }, options);
  }

  /**
   * Begins at once. Each subscription yields the current state now and after every change; a slow reader misses states that
   * were overtaken, but no audit entry. Leaving the loop cancels it.
   */
  subscribe<M extends Subscription>(method: M, ...[input, options]: Arguments<M>): AsyncIterableIterator<Output<M>> {
    const signal = options?.signal;
    signal?.throwIfAborted();
    const onAbort = () => {
      this.#unsubscribe(id);
      feed.end(signal?.reason);
    };
    const feed = new Feed<Output<M>>({
      latestOnly: method !== "audit.watch",
      onReturn: () => {
        signal?.removeEventListener("abort", onAbort);
        this.#unsubscribe(id);
      },
    });
    const id = this.#send(method, input, {
      resolve: (_result, fds) => closeAll(fds),
      reject: (error) => {
        this.#feeds.delete(id);
        feed.end(error);
      },
    });
    this.#feeds.set(id, feed as Feed<unknown>);
    signal?.addEventListener("abort", onAbort, { once: true });
    return feed;
  }

  /** Idempotent. What is pending rejects. */
  close(): void {
    if (this.#lost) return;
    this.#socket.close();
    this.#end(new ConnectionLost("The connection to the agent was closed here."), undefined);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Whether the open connection keeps the process alive; true at first. */
  ref(): void {
    this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  #lend(method: LendingCall, input: object, options: CallOptions | undefined): Promise<Lease> {
    const lease = (claimed: Claimed, fds: number[]) => {
      const [fd, ...others] = fds;
      closeAll(others);
      if (fd === undefined) throw new Error(`The agent's reply to ${method} brought no descriptor.`);
      const { id } = claimed.delegation;
      return new Lease(claimed, fd, {
        giveBack: () => this.call("delegations.release", { id }),
        get: () => this.call("delegations.get", { id }),
        extend: (byMs) => this.call("delegations.extend", { id, byMs }),
        sync: (input) => this.call("delegations.sync", input),
        follow: (signal) => this.subscribe("delegations.follow", { id }, { signal }),
      });
    };
    return this.#request(method, input, options, lease, (late) => void late.release().catch(() => {}));
  }

  /** `onLate` gets what was granted although the caller had given up. */
  #request<R, T>(
    method: string,
    input: unknown,
    options: CallOptions | undefined,
    convert: (result: R, fds: number[]) => T,
    onLate?: (value: T) => void,
  ): Promise<T> {
    const signal = options?.signal;
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted();
      const id = this.#send(method, input, {
        resolve: (result, fds) => {
          signal?.removeEventListener("abort", onAbort);
          try {
            resolve(convert(result as R, fds));
          } catch (error) {
            reject(error);
          }
        },
        reject: (error) => {
          signal?.removeEventListener("abort", onAbort);
          reject(error);
        },
      });
      const onAbort = () => {
        this.#pending.set(id, { resolve: (result, fds) => onLate?.(convert(result as R, fds)), reject: () => {} });
        this.#cancel(id);
        reject(signal?.reason);
      };
      signal?.addEventListener("abort", onAbort, { once: true });
    });
  }

  #send(method: string, params: unknown, pending: Pending): number {
    if (this.#lost) throw new ConnectionLost(this.#lost.message);
    const id = ++this.#lastId;
    try {
      this.#socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    } catch (error) {
      if (!isHungUp(error)) throw error; // or else the end follows, with what the agent said last
    }
    this.#pending.set(id, pending);
    return id;
  }

  #cancel(id: number): void {
    if (this.#lost) return;
    this.#send("cancel", { id }, { resolve: (_result, fds) => closeAll(fds), reject: () => {} });
  }

  #unsubscribe(id: number): void {
    if (this.#feeds.delete(id)) this.#cancel(id);
  }

  #receive(text: string, fds: number[]): void {
    const packet = parse(text);
    if (!packet) {
      closeAll(fds);
      this.#breakOff("The agent sent a packet that is not JSON.");
    } else if (typeof packet.id === "number") this.#onReply(packet.id, packet, fds);
    else {
      closeAll(fds);
      if (packet.method === "event" && packet.params) this.#onEvent(packet.params);
      else if (packet.error) this.#complaint = packet.error.message;
    }
  }

  #onReply(id: number, { result, error }: Packet, fds: number[]): void {
    const pending = this.#pending.get(id);
    this.#pending.delete(id);
    if (pending && !error) pending.resolve(result, fds);
    else {
      closeAll(fds);
      if (error) pending?.reject(errorFromWire(error));
    }
  }

  #onEvent({ subscription, data, done, error }: NonNullable<Packet["params"]>): void {
    const feed = this.#feeds.get(subscription);
    if (!done && !error) feed?.push(data);
    else {
      this.#feeds.delete(subscription);
      feed?.end(error && errorFromWire(error));
    }
  }

  #onClose(cause: SystemError | undefined): void {
    const why = this.#complaint ?? cause?.message;
    const message = `The connection to the agent at ${this.path} was lost${why ? `: ${why}` : "."}`;
    const lost = new ConnectionLost(message, cause && { cause });
    this.#end(lost, lost);
  }

  #breakOff(message: string): void {
    this.#socket.close();
    const lost = new ConnectionLost(message);
    this.#end(lost, lost);
  }

  #end(lost: ConnectionLost, reason: ConnectionLost | undefined): void {
    this.#lost = lost;
    const pending = [...this.#pending.values()];
    const feeds = [...this.#feeds.values()];
    this.#pending.clear();
    this.#feeds.clear();
    for (const call of pending) call.reject(lost);
    for (const feed of feeds) feed.end(lost);
    this.#resolveClosed(reason);
  }
}

function isHungUp(error: unknown): boolean {
  return isSystemError(error) && (error.code === "EPIPE" || error.code === "ECONNRESET");
}

function parse(text: string): Packet | undefined {
  try {
    const packet: unknown = JSON.parse(text);
    return typeof packet === "object" && packet !== null ? packet : undefined;
  } catch {
    return undefined;
  }
}

function closeAll(fds: readonly number[]): void {
  for (const fd of fds) closeSync(fd);
}

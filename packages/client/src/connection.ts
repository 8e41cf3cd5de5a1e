import { closeSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { isSystemError, type PacketSocket, type Peer, type SystemError } from "@lendbuf/native/addon";
import type { Claimed, Input, Output, Subscription } from "@lendbuf/shared/api";
import { EVENTS } from "@lendbuf/shared/procedures";
import type { Arguments, CallOptions, Calls, LendingCall, PlainCall } from "./calls.ts";
import { AgentError, ConnectionLost, errorFromWire, type WireError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { Lease } from "./lease.ts";
import { reconnect } from "./reconnect.ts";
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

/** Between two attempts to take up what another agent was to take over. */
const COME_BACK_MS = 50;

interface Following {
  feed: Feed<unknown>;
  method: Subscription;
  input: unknown;
  /** Takes the answer to its request. */
  asked: Pending;
}

/**
 * A connection to an agent. Delegations that are claimed through it end with it, unless they are kept. Where the agent may be followed
 * by another that takes over what it lent, a connection with leases comes back by itself: what was under way rejects with
 * ConnectionLost, what is asked meanwhile waits, and subscriptions go on, but for the audit's.
 */
export class Connection implements Calls {
  /** Where the agent listens. */
  readonly path: string;
  /** Resolves, and never rejects, when the connection has ended: with the reason, or with undefined after close(). */
  readonly closed: Promise<ConnectionLost | undefined>;
  #socket: PacketSocket;
  readonly #pending = new Map<number, Pending>();
  readonly #feeds = new Map<number, Following>();
  /** By delegation, for how long it is worth coming back for it. */
  readonly #held = new Map<number, number>();
  /** What is to be sent when the agent is there again; undefined while it is. */
  #away: string[] | undefined;
  #isRef = true;
  #resolveClosed!: (reason: ConnectionLost | undefined) => void;
  #lastId = 0;
  #lost: ConnectionLost | undefined;
  /** What the agent said without being asked; it closes the connection next. */
  #complaint: string | undefined;

  /** Takes over a connected socket that was not started. */
  constructor(path: string, socket: PacketSocket) {
    this.path = path;
    this.#socket = socket;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#use(socket);
  }

  /** The agent's process, as the kernel knows it. */
  get agent(): Peer {
    return this.#socket.peer;
  }

  /** Rejects with an AgentError, a RemoteSystemError, ConnectionLost, or the signal's reason. */
  call<M extends PlainCall>(method: M, ...[input, options]: Arguments<M>): Promise<Output<M>> {
    return this.#request(method, input, options, (result: Output<M>, fds) => {
      closeAll(fds);
      if (method === "delegations.release") this.#held.delete((input as Input<"delegations.release">).id);
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
      latestOnly: !EVENTS.includes(method),
      onReturn: () => {
        signal?.removeEventListener("abort", onAbort);
        this.#unsubscribe(id);
      },
    });
    const asked: Pending = {
      resolve: (_result, fds) => closeAll(fds),
      reject: (error) => {
        this.#feeds.delete(id);
        feed.end(error);
      },
    };
    const id = this.#send(method, input, asked);
    this.#feeds.set(id, { feed: feed as Feed<unknown>, method, input, asked });
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
    this.#isRef = true;
    this.#socket.ref();
  }

  unref(): void {
    this.#isRef = false;
    this.#socket.unref();
  }

  #lend(method: LendingCall, input: object, options: CallOptions | undefined): Promise<Lease> {
    const lease = (claimed: Claimed, fds: number[]) => {
      const [fd, ...others] = fds;
      closeAll(others);
      if (fd === undefined) throw new Error(`The agent's reply to ${method} brought no descriptor.`);
      const { id } = claimed.delegation;
      if (claimed.resumeMs) this.#held.set(id, claimed.resumeMs);
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
    const packet = packetOf(id, method, params);
    if (this.#away) this.#away.push(packet);
    else this.#put(packet);
    this.#pending.set(id, pending);
    return id;
  }

  #put(packet: string): void {
    try {
      this.#socket.send(packet);
    } catch (error) {
      if (!isHungUp(error)) throw error; // or else the end follows, with what the agent said last
    }
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
    const following = this.#feeds.get(subscription);
    if (!done && !error) following?.feed.push(data);
    else {
      this.#feeds.delete(subscription);
      following?.feed.end(error && errorFromWire(error));
    }
  }

  #onClose(cause: SystemError | undefined): void {
    const why = this.#complaint ?? cause?.message;
    const message = `The connection to the agent at ${this.path} was lost${why ? `: ${why}` : "."}`;
    const lost = new ConnectionLost(message, cause && { cause });
    this.#rejectPending(lost);
    if (this.#away) return; // while it was coming back: it tries again
    if (this.#held.size > 0) void this.#comeBack(lost);
    else this.#end(lost, lost);
  }

  /** Subscriptions wait for the agent's return. */
  #rejectPending(lost: ConnectionLost): void {
    for (const [id, pending] of this.#pending) {
      const following = this.#feeds.get(id);
      if (following && following.method !== "audit.watch") continue;
      this.#pending.delete(id);
      pending.reject(lost);
    }
    for (const [id, { feed, method }] of this.#feeds) {
      if (method !== "audit.watch") continue; // it alone would miss something
      this.#feeds.delete(id);
      feed.end(lost);
    }
  }

  /** The agent is gone, and another may take over what we hold. */
  async #comeBack(lost: ConnectionLost): Promise<void> {
    this.#away = [];
    const { path } = this;
    const { uid } = this.agent;
    const until = performance.now() + Math.max(...this.#held.values());
    while (!this.#lost) {
      const place = { path, uid, until, isOver: () => this.#lost !== undefined, isRef: () => this.#isRef };
      const socket = await reconnect(place);
      if (this.#lost) return socket?.close();
      if (!socket) return this.#end(lost, lost);
      this.#use(socket);
      if (await this.#resumeAll()) return this.#goOn();
      if (performance.now() >= until) return this.#end(lost, lost);
      await delay(COME_BACK_MS, undefined, { ref: this.#isRef });
    }
  }

  /** False where the agent was lost once more. */
  async #resumeAll(): Promise<boolean> {
    const resume = async (id: number) => {
      try {
        await new Promise((resolve, reject) => {
          const request = ++this.#lastId;
          this.#pending.set(request, { resolve, reject });
          this.#put(packetOf(request, "delegations.resume", { id }));
        });
        return true;
      } catch (error) {
        if (!(error instanceof AgentError)) return false;
        this.#held.delete(id); // it has ended: whoever touches the memory, or follows it, hears why
        return true;
      }
    };
    const resumed = await Promise.all([...this.#held.keys()].map(resume));
    return !resumed.includes(false);
  }

  #goOn(): void {
    const waiting = this.#away ?? [];
    this.#away = undefined;
    const isWaiting = new Set(waiting);
    for (const [id, { method, input, asked }] of this.#feeds) {
      const packet = packetOf(id, method, input);
      this.#pending.set(id, asked);
      if (!isWaiting.has(packet)) this.#put(packet);
    }
    for (const packet of waiting) this.#put(packet);
  }

  #use(socket: PacketSocket): void {
    this.#socket = socket;
    if (!this.#isRef) socket.unref();
    socket.start({
      encoding: "utf8",
      acceptFds: true,
      onPacket: (text, fds) => this.#receive(text, fds),
      onClose: (error) => this.#onClose(error),
    });
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
    for (const { feed } of feeds) feed.end(lost);
    this.#resolveClosed(reason);
  }
}

function packetOf(id: number, method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: "2.0", id, method, params });
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

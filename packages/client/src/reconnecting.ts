import { EventEmitter } from "node:events";
import type { Peer } from "@lendbuf/native/addon";
import type { Input, Output, Subscription } from "@lendbuf/shared/api";
import { PROCEDURES } from "@lendbuf/shared/procedures";
import { watchAudit } from "./audit-watch.ts";
import type { Arguments, CallOptions, Calls, PlainCall } from "./calls.ts";
import { FIRST_PAUSE_MS, LONGEST_PAUSE_MS, longerPause, maySucceedLater, pause } from "./comeback.ts";
import { connect } from "./connect.ts";
import type { Connection } from "./connection.ts";
import { ConnectionLost } from "./errors.ts";
import { Feed } from "./feed.ts";
import type { Lease } from "./lease.ts";
import type { BorrowTerms } from "./terms.ts";

export interface ReconnectingEvents {
  /** The connection is gone, and with it each lease that was borrowed through it. It is being made anew. */
  lost: [cause: ConnectionLost];
  /** There is another: the agent's process, which is a new one where it was restarted. */
  back: [agent: Peer];
}

/**
 * An agent that may be restarted: a connection to it, made anew whenever it was lost. What is asked while there is none waits for it (a
 * `signal` ends that). A lease is never brought back: it belongs to the connection that it was borrowed through, and says that it is lost.
 */
export class ReconnectingAgent implements Calls {
  /** Resolves, and never rejects, when it connects no more: with why (not allowed, for one), or with undefined after close(). */
  readonly closed: Promise<unknown>;
  readonly #open: () => Promise<Connection>;
  readonly #emitter = new EventEmitter<ReconnectingEvents>();
  readonly #stop = new AbortController();
  #resolveClosed!: (reason: unknown) => void;
  /** The one that is open, or will be. */
  #connection: Promise<Connection>;
  #pauseMs = FIRST_PAUSE_MS;

  private constructor(open: () => Promise<Connection>, first: Connection) {
    this.#open = open;
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    this.#connection = Promise.resolve(first);
    this.#watch(first);
  }

  /** Throws NoAgent where none answers at first. `open` connects, then and again. */
  static async connect(open: () => Promise<Connection> = connect): Promise<ReconnectingAgent> {
    return new ReconnectingAgent(open, await open());
  }

  /**
   * As of a Connection. What only asks is asked again where the connection is lost before the answer; what changes something is not, and
   * rejects with ConnectionLost: whether it was done nobody can tell but the agent that comes back.
   */
  async call<M extends PlainCall>(method: M, ...args: Arguments<M>): Promise<Output<M>> {
    const signal = args[1]?.signal;
    for (;;) {
      const connection = await this.#connected(signal);
      try {
        return await connection.call(method, ...args);
      } catch (error) {
        const isRepeatable = error instanceof ConnectionLost && PROCEDURES[method] === "query";
        if (!isRepeatable || this.#stop.signal.aborted) throw error;
        await connection.closed; // its successor is on the way then
      }
    }
  }

  /** As of a Connection; lost on the way it rejects with ConnectionLost, and what it was about to get is given back, unless it is kept. */
  borrow(buffer: string, terms?: BorrowTerms): Promise<Lease>;
  borrow(input: Input<"delegations.borrow">, options?: CallOptions): Promise<Lease>;
  async borrow(what: string | Input<"delegations.borrow">, how: BorrowTerms = {}): Promise<Lease> {
    const connection = await this.#connected(how.signal);
    return typeof what === "string" ? connection.borrow(what, how) : connection.borrow(what, how);
  }

  /** Takes what was offered, and takes anew what was kept when the connection was lost. */
  async claim(id: number, options?: CallOptions): Promise<Lease> {
    const connection = await this.#connected(options?.signal);
    return connection.claim(id, options);
  }

  /**
   * As of a Connection, over as many of them as it takes: the current state anew after each loss, and each entry of the audit once. Throws
   * what the agent refuses, and AuditReplaced.
   */
  subscribe<M extends Subscription>(method: M, ...[input, options]: Arguments<M>): AsyncIterableIterator<Output<M>> {
    options?.signal?.throwIfAborted();
    const left = new AbortController();
    const feed = new Feed<Output<M>>({ latestOnly: method !== "audit.watch", onReturn: () => left.abort() });
    const signal = AbortSignal.any([left.signal, this.#stop.signal, ...(options?.signal ? [options.signal] : [])]);
    void this.#fill(feed, this.#values(method, input, signal));
    return feed;
  }

  on<E extends keyof ReconnectingEvents>(event: E, listener: (...args: ReconnectingEvents[E]) => void): this {
    this.#emitter.on(event, listener as never);
    return this;
  }

  once<E extends keyof ReconnectingEvents>(event: E, listener: (...args: ReconnectingEvents[E]) => void): this {
    this.#emitter.once(event, listener as never);
    return this;
  }

  off<E extends keyof ReconnectingEvents>(event: E, listener: (...args: ReconnectingEvents[E]) => void): this {
    this.#emitter.off(event, listener as never);
    return this;
  }

  /** Idempotent. What is pending rejects, and nothing is connected anew. */
  close(): void {
    this.#end(new ConnectionLost("The connection to the agent was closed here."), undefined);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #connected(signal: AbortSignal | undefined): Promise<Connection> {
    return orAborted(this.#connection, signal);
  }

  #watch(connection: Connection): void {
    const since = performance.now();
    void connection.closed.then((cause) => {
      if (this.#stop.signal.aborted) return;
      // One that lets us in and turns us away at once is not asked without pause.
      if (performance.now() - since > LONGEST_PAUSE_MS) this.#pauseMs = FIRST_PAUSE_MS;
      this.#connection = this.#comeBack();
      this.#connection.catch((error) => this.#end(error, error));
      if (cause) this.#tell("lost", cause);
    });
  }

  async #comeBack(): Promise<Connection> {
    const { signal } = this.#stop;
    for (;;) {
      await pause(this.#pauseMs, signal);
      this.#pauseMs = longerPause(this.#pauseMs);
      try {
        const connection = await this.#open();
        this.#watch(connection);
        if (!signal.aborted) this.#tell("back", connection.agent);
        return connection;
      } catch (error) {
        if (!maySucceedLater(error)) throw error;
      }
    }
  }

  #values<M extends Subscription>(method: M, input: Input<M> | undefined, signal: AbortSignal) {
    if (method !== "audit.watch") return this.#states(method, input, signal);
    const { after } = (input ?? {}) as NonNullable<Input<"audit.watch">>;
    return watchAudit(() => this.#lend(signal), { after, signal }) as AsyncIterable<Output<M>>;
  }

  async *#states<M extends Subscription>(method: M, input: Input<M> | undefined, signal: AbortSignal) {
    for (;;) {
      const connection = await this.#connected(signal);
      try {
        return yield* connection.subscribe(method, ...([input, { signal }] as Arguments<M>));
      } catch (error) {
        if (!(error instanceof ConnectionLost) || signal.aborted) throw error;
        await connection.closed;
      }
    }
  }

  async #fill<T>(feed: Feed<T>, values: AsyncIterable<T>): Promise<void> {
    try {
      for await (const value of values) feed.push(value);
      feed.end();
    } catch (error) {
      feed.end(error);
    }
  }

  /** The connection for somebody who will dispose of what he gets, but does not own it. */
  async #lend(signal: AbortSignal): Promise<Calls> {
    const connection = await this.#connected(signal);
    return {
      call: (method, ...args) => connection.call(method, ...args),
      subscribe: (method, ...args) => connection.subscribe(method, ...args),
      [Symbol.dispose]() {},
    };
  }

  #end(error: unknown, reason: unknown): void {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(error);
    this.#connection.then((connection) => connection.close()).catch(() => {}); // also of one that is being made
    this.#connection = Promise.reject(error);
    this.#connection.catch(() => {});
    this.#resolveClosed(reason);
  }

  /** Later, so that what a listener throws is an uncaught exception, as of any emitter. */
  #tell<E extends keyof ReconnectingEvents>(event: E, ...args: ReconnectingEvents[E]): void {
    process.nextTick(() => this.#emitter.emit(event, ...(args as never)));
  }
}

/** What the promise brings, unless the signal comes first. */
function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort, { once: true });
    void promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}

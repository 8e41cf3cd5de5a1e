import type { Call, Input, Output, Subscription } from "@lendbuf/shared/api";

export type LendingCall = "delegations.claim" | "delegations.borrow";
export type PlainCall = Exclude<Call, LendingCall>;

export interface CallOptions {
  /** Cancels it at the agent too; the call rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The input may be left out where all of it has defaults. */
export type Arguments<M extends Call | Subscription> =
  undefined extends Input<M> ? [input?: Input<M>, options?: CallOptions] : [input: Input<M>, options?: CallOptions];

/** What can be asked of an agent through either of its doors: everything but memory. */
export interface Calls extends Disposable {
  /** Rejects with an AgentError, a RemoteSystemError, ConnectionLost, or the signal's reason. */
  call<M extends PlainCall>(method: M, ...args: Arguments<M>): Promise<Output<M>>;
  /** Yields the current state now and after every change; the audit's watch each entry. Leaving the loop cancels it. */
  subscribe<M extends Subscription>(method: M, ...args: Arguments<M>): AsyncIterableIterator<Output<M>>;
}

import type { Caller, Core } from "./core.ts";
import type { Claimant } from "./delegations/live.ts";

/** What only a door that can carry fds gives to a procedure. */
export interface FdReply {
  readonly claimant: Claimant;
  /**
   * The reply will carry a copy of an fd, which stays its owner's and is asked for when the reply is sent, which may be a while later:
   * `fd` throws where its delegation has ended meanwhile. `undo` is called if it cannot be sent.
   */
  attachFd(fd: () => number, undo: () => void): void;
}

export interface Context {
  readonly core: Core;
  readonly caller: Caller;
  readonly signal: AbortSignal;
  /** About how many bytes of items an answer may have. */
  readonly replyBytes: number;
  /** The subscriptions of this connection, where the door does not count them itself. */
  readonly subscriptions?: { count: number } | undefined;
  readonly fdReply?: FdReply | undefined;
  /** Resolves when the client has taken enough of what it was sent to get a state more; undefined where it has. */
  readonly room?: (() => Promise<void> | undefined) | undefined;
}

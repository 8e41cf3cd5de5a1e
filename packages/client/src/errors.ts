import type { Delegation, EndReason } from "@lendbuf/shared/delegation";
import { AgentError, isErrorCode } from "@lendbuf/shared/errors";
import { refusalOf } from "./refusals.ts";

// What a call throws that was refused, of a class of refusals.ts: a client's own package has no other way to name it.
export { AgentError };

/** No agent could be reached at all. `code` is what the last place answered: ENOENT, ECONNREFUSED, EACCES, … */
export class NoAgent extends Error {
  override readonly name = "NoAgent";
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Of an HTTP request that got no answer. */
export function unreachable(url: string, failure: unknown): NoAgent {
  const cause = ((failure as Error).cause ?? failure) as NodeJS.ErrnoException;
  const message = isDistrust(cause.code)
    ? `The certificate of ${url} is not trusted here (${cause.code}). NODE_EXTRA_CA_CERTS=FILE names an authority that is.`
    : `No agent answers at ${url} (${cause.code ?? cause.message}). To one on another host: ssh -L PORT:127.0.0.1:PORT HOST, or its door over TLS.`;
  return new NoAgent(cause.code ?? "EPROTO", message, { cause });
}

/** Node's codes for a certificate that does not convince. */
function isDistrust(code: string | undefined): boolean {
  return code !== undefined && /CERT|SELF_SIGNED|ISSUER|ALTNAME|VERIFY/.test(code);
}

/** The HTTP door turned us away before the agent was asked: `code` is its word for it, as UNAUTHORIZED, or a status. */
export class DoorRefusal extends Error {
  override readonly name = "DoorRefusal";
  readonly code: string;

  constructor(code: string, message: string) {
    super(message);
    this.code = code;
  }
}

/** The agent went away, or the connection was closed. Every delegation that this connection claimed ends with it, unless it is kept. */
export class ConnectionLost extends Error {
  override readonly name = "ConnectionLost";
}

/** The memory was taken back. What was read before stays; what was written before may or may not have arrived. */
export class Revoked extends Error {
  override readonly name = "Revoked";
  readonly code = "EFAULT";
  /** Undefined where the agent did not say yet: `lease.now()` asks it. */
  readonly reason: EndReason | undefined;

  constructor(message: string, reason: EndReason | undefined, options?: ErrorOptions) {
    super(message, options);
    this.reason = reason;
  }
}

/** The device took the memory away for now (a reset, low power). The delegation lives: try again later. */
export class Suspended extends Error {
  override readonly name = "Suspended";
  readonly code = "EFAULT";
}

/** The export cannot be mapped into a process on this host; a device can import its `fd` all the same. `code` is what mmap answered. */
export class NotMappable extends Error {
  override readonly name = "NotMappable";
  readonly code: string;

  constructor({ id, buffer }: Delegation, cause: NodeJS.ErrnoException) {
    const advice = `Borrow it with exporter: "staged", or import its fd into a device; \`lendbuf doctor\` says what this kernel lacks.`;
    const doubt = "Where `await lease.now()` says that it has ended, it was taken back before.";
    const answer = cause.code ?? cause.message;
    super(`The memory of delegation ${id} of ${buffer} cannot be mapped: mmap answers ${answer}. ${advice} ${doubt}`, {
      cause,
    });
    this.code = answer;
  }
}

/** Writing to what was borrowed read-only. */
export class ReadOnly extends Error {
  override readonly name = "ReadOnly";
  readonly code = "EACCES";

  constructor(buffer: string, cause: Error) {
    super(`${buffer} was borrowed read-only. To write, borrow it without readOnly.`, { cause });
  }
}

/** It was released or closed here before. */
export class Closed extends Error {
  override readonly name = "Closed";
}

/** The time to stand in line is over, and the buffer is still taken. */
export class StillTaken extends Error {
  override readonly name = "StillTaken";
}

/** A system call failed in the agent; same shape as a local one's error. */
export class RemoteSystemError extends Error {
  override readonly name = "RemoteSystemError";
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(code: string, errno: number, syscall: string, message: string) {
    super(message);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** The `error` member of a reply. */
export interface WireError {
  code: number;
  message: string;
  data?: { code?: unknown; errno?: unknown; syscall?: unknown };
}

export function errorFromWire({ message, data }: WireError): Error {
  if (isErrorCode(data?.code)) return refusalOf(data.code, message);
  if (typeof data?.code === "string" && typeof data.errno === "number")
    return new RemoteSystemError(data.code, data.errno, String(data.syscall ?? ""), message);
  return refusalOf("INTERNAL", message);
}

/** Refusals that a caller can act on. The closed set; docs/protocol.md lists what each means. */
export const ERROR_CODES = [
  "BAD_INPUT",
  "UNKNOWN_METHOD",
  "NOT_FOUND",
  "NOT_YOURS",
  "NOT_ALLOWED",
  "WRONG_DOOR",
  "BUSY",
  "RESERVED",
  "DRAINED",
  "NOT_READY",
  "ENDED",
  "ALREADY_CLAIMED",
  "ALREADY_EXISTS",
  "OVERLAP",
  "IN_USE",
  "BLAST_RADIUS",
  "UNSUPPORTED",
  "LIMIT",
  "UNREAD_CLAIM",
  "STORE_READ_ONLY",
  "DEVICE_LOST",
  "EXPORT_FAILED",
  "CANCELLED",
  "INTERNAL",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export function isErrorCode(value: unknown): value is ErrorCode {
  return (ERROR_CODES as readonly unknown[]).includes(value);
}

/** A refusal: what was asked, what is in the way, what to do next. */
export class AgentError extends Error {
  override readonly name = "AgentError";
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

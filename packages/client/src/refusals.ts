// What the agent refuses, a class for each code: docs/protocol.md says what each means. All are AgentErrors; `code` is the same word.
import { AgentError, type ErrorCode } from "@lendbuf/shared/errors";

function refusal<C extends ErrorCode>(code: C) {
  return class extends AgentError {
    declare readonly code: C;

    constructor(message: string, options?: ErrorOptions) {
      super(code, message, options);
    }
  };
}

export class BadInput extends refusal("BAD_INPUT") {}
export class UnknownMethod extends refusal("UNKNOWN_METHOD") {}
export class NotFound extends refusal("NOT_FOUND") {}
export class NotYours extends refusal("NOT_YOURS") {}
export class NotAllowed extends refusal("NOT_ALLOWED") {}
export class WrongDoor extends refusal("WRONG_DOOR") {}
export class Busy extends refusal("BUSY") {}
export class Reserved extends refusal("RESERVED") {}
export class Drained extends refusal("DRAINED") {}
export class NotReady extends refusal("NOT_READY") {}
export class Ended extends refusal("ENDED") {}
export class AlreadyClaimed extends refusal("ALREADY_CLAIMED") {}
export class AlreadyExists extends refusal("ALREADY_EXISTS") {}
export class Overlap extends refusal("OVERLAP") {}
export class InUse extends refusal("IN_USE") {}
export class BlastRadius extends refusal("BLAST_RADIUS") {}
export class Unsupported extends refusal("UNSUPPORTED") {}
export class Limit extends refusal("LIMIT") {}
export class UnreadClaim extends refusal("UNREAD_CLAIM") {}
export class StoreReadOnly extends refusal("STORE_READ_ONLY") {}
export class DeviceLost extends refusal("DEVICE_LOST") {}
export class ExportFailed extends refusal("EXPORT_FAILED") {}
export class Cancelled extends refusal("CANCELLED") {}
export class Internal extends refusal("INTERNAL") {}

const BY_CODE = {
  BAD_INPUT: BadInput,
  UNKNOWN_METHOD: UnknownMethod,
  NOT_FOUND: NotFound,
  NOT_YOURS: NotYours,
  NOT_ALLOWED: NotAllowed,
  WRONG_DOOR: WrongDoor,
  BUSY: Busy,
  RESERVED: Reserved,
  DRAINED: Drained,
  NOT_READY: NotReady,
  ENDED: Ended,
  ALREADY_CLAIMED: AlreadyClaimed,
  ALREADY_EXISTS: AlreadyExists,
  OVERLAP: Overlap,
  IN_USE: InUse,
  BLAST_RADIUS: BlastRadius,
  UNSUPPORTED: Unsupported,
  LIMIT: Limit,
  UNREAD_CLAIM: UnreadClaim,
  STORE_READ_ONLY: StoreReadOnly,
  DEVICE_LOST: DeviceLost,
  EXPORT_FAILED: ExportFailed,
  CANCELLED: Cancelled,
  INTERNAL: Internal,
} satisfies { [C in ErrorCode]: new (message: string) => AgentError & { code: C } };

export function refusalOf(code: ErrorCode, message: string): AgentError {
  return new BY_CODE[code](message);
}

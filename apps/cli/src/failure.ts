import { isErrorCode } from "@lendbuf/shared/errors";
import { CommanderError } from "commander";
import { EXIT, EXIT_BY_ERROR } from "./exit-codes.ts";

/** A failure that was foreseen: its message is all that a person needs, no stack. */
export class Failure extends Error {
  override readonly name = "Failure";
  readonly code: string;
  readonly exitCode: number;

  constructor(code: string, exitCode: number, message: string) {
    super(message);
    this.code = code;
    this.exitCode = exitCode;
  }
}

export function usageFailure(message: string): Failure {
  return new Failure("BAD_INPUT", EXIT.usage, message);
}

/** What to say and how to exit. Told apart by name, not by class, so that --help need not load the client. */
export function explain(error: unknown): { code: string; message: string; exitCode: number } {
  if (error instanceof Failure) return error;
  if (error instanceof CommanderError)
    return {
      code: "BAD_INPUT",
      message: error.message.replace(/^error: (command-argument value )?/, ""),
      exitCode: EXIT.usage,
    };
  if (!(error instanceof Error)) return { code: "INTERNAL", message: String(error), exitCode: EXIT.failed };
  const code = "code" in error ? String(error.code) : "";
  if (error.name === "NoAgent") return { code, message: error.message, exitCode: EXIT.noAgent };
  if (error.name === "ConnectionLost")
    return { code: "CONNECTION_LOST", message: error.message, exitCode: EXIT.noAgent };
  if (error.name === "DoorRefusal") return { code, message: error.message, exitCode: EXIT.refused };
  if (isErrorCode(code)) return { code, message: error.message, exitCode: EXIT_BY_ERROR[code] };
  if ("syscall" in error) return { code, message: error.message, exitCode: EXIT.failed };
  return { code: "INTERNAL", message: error.stack ?? error.message, exitCode: EXIT.failed };
}

// The process only: arguments in, exit code out.
import { CommanderError } from "commander";
import { explain } from "./failure.ts";
import { handleClosedPipes, tell } from "./output/print.ts";
import { buildProgram } from "./program.ts";

handleClosedPipes();
try {
  await buildProgram().parseAsync();
} catch (error) {
  process.exitCode = report(error);
}

function report(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return 0;
  const { code, message, exitCode } = explain(error);
  // `lendbuf` alone: the help was written already.
  if (error instanceof CommanderError && error.code === "commander.help") return exitCode;
  if (wantsJson()) tell(`${JSON.stringify({ error: { code, message } })}\n`);
  else tell(`lendbuf: ${message}\n`);
  return exitCode;
}

/** Read from the words themselves: arguments that could not be parsed are reported as JSON too. */
function wantsJson(): boolean {
  const words = process.argv.slice(2);
  const end = words.indexOf("--");
  return words.slice(0, end === -1 ? undefined : end).includes("--json");
}

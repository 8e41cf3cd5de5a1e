import { BootstrapFailed } from "../scripts/bootstrap.mjs";
import { runStep, tail } from "../scripts/step.mjs";

/** Runs a command that has to succeed, and answers its output. */
export async function must(name, command, options) {
  const step = await runStep(name, command, options);
  if (step.ok) return step.log;
  throw new BootstrapFailed(
    `${tail(step.log, 20)}\n\n"${command.join(" ")}" ${step.problem}. Its whole output: ${step.logFile}`,
  );
}

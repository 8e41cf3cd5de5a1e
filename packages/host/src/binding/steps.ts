/** One thing that is done to the host, and how it is undone, also where it was done by half. */
export interface Step {
  /** "unbind 0000:01:00.0 from ixgbe" */
  what: string;
  run(): Promise<void>;
  undo(): Promise<void>;
}

const SLOW_MS = 3000;

/** Runs all, or undoes those that ran. `onSlow` is told of one that takes long. */
export async function runSteps(steps: readonly Step[], onSlow: (what: string) => void): Promise<void> {
  const begun: Step[] = [];
  for (const step of steps) {
    begun.unshift(step);
    const timer = setTimeout(() => onSlow(step.what), SLOW_MS);
    try {
      await step.run();
    } catch (cause) {
      throw failure(step, cause as NodeJS.ErrnoException, await undoAll(begun));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What could not be undone. */
async function undoAll(begun: readonly Step[]): Promise<string[]> {
  const left: string[] = [];
  for (const { what, undo } of begun) {
    try {
      await undo();
    } catch (error) {
      left.push(`${what} (${(error as Error).message})`);
    }
  }
  return left;
}

function failure({ what }: Step, cause: NodeJS.ErrnoException, left: readonly string[]): Error {
  const outcome =
    left.length === 0
      ? "All is as it was before."
      : `Not all could be undone: ${left.join("; ")}. Look at \`lspci -k\`, or restart the host.`;
  const error = new Error(`Could not ${what}: ${cause.message}. ${outcome} \`dmesg\` may say more.`, { cause });
  return Object.assign(error, { code: cause.code ?? "FAILED", syscall: cause.syscall ?? "bind" });
}

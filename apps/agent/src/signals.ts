// The first that main.ts imports: what must be in place before anything else of the agent runs.
import inspector from "node:inspector";

/**
 * Node opens its inspector at SIGUSR1, and whoever may signal us or reach its port would have everything that we have. A listener of
 * ours takes the place of Node's; one that came before it is undone here and by `refuseInspector`.
 */
process.on("SIGUSR1", refuseInspector);

/** What SIGUSR2 asks for; one that comes before anything is there to be revoked is answered as soon as it is. */
let panic: (() => void) | undefined;
let isAsked = false;
process.on("SIGUSR2", () => {
  if (panic) panic();
  else isAsked = true;
});
refuseInspector();

export function onPanic(run: () => void): void {
  panic = run;
  if (isAsked) run();
}

/** Closes an inspector that a signal opened; not one that the command line asked for, as a developer's does. */
export function refuseInspector(): void {
  if (inspector.url() !== undefined && !wasInspectorWanted()) inspector.close();
}

function wasInspectorWanted(): boolean {
  const options = [...process.execArgv, ...(process.env.NODE_OPTIONS ?? "").split(/\s+/)];
  return options.some((option) => /^--inspect(-brk|-wait)?(=|$)/.test(option));
}

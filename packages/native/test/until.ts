import { setTimeout as delay } from "node:timers/promises";

/** Resolves as soon as the condition holds, for what tells nobody when it changes; the test's time limit is its own. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await delay(2);
}

import type { Signal } from "../clock/signal.ts";
import type { Context } from "../context.ts";

/** Between two states that a screen is sent: more would not be seen. */
const PAUSE_MS = 20;

/** The state now and after every change, for as long as it is listened to. What changes meanwhile collapses into the next one. */
export async function* states<State>(
  changed: Signal,
  { signal, hasRoom }: Pick<Context, "signal" | "hasRoom">,
  look: () => State,
): AsyncGenerator<State> {
  while (!signal.aborted) {
    await hasRoom?.(); // a slow reader gets the latest state when it can take one, never a backlog
    const next = changed.next(signal); // before looking, else a change in between is missed
    yield look();
    await next;
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
  }
}

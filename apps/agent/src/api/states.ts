import type { Signal } from "../clock/signal.ts";
import type { Context } from "../context.ts";

/** Between two states that a screen is sent: more would not be seen. The first change after a quiet time is told at once. */
const PAUSE_MS = 20;

/** The state now and after every change, for as long as it is listened to. What changes meanwhile, or until there is room, collapses into the next one. */
export async function* states<State>(
  { signal, room }: Pick<Context, "signal" | "room">,
  changed: Signal,
  look: () => State,
): AsyncGenerator<State> {
  while (!signal.aborted) {
    for (let taken = room?.(); taken && !signal.aborted; taken = room?.()) await taken;
    const next = changed.next(signal); // before looking, else a change in between is missed
    const again = performance.now() + PAUSE_MS;
    yield look();
    await next;
    const pause = again - performance.now();
    // In a turn of its own at least: of those who are woken together each must see the room that is left by the one before.
    await new Promise((resolve) => (pause > 0 ? setTimeout(resolve, pause) : setImmediate(resolve)));
  }
}

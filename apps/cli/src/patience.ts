import type { Calls } from "@lendbuf/client/calls";
import { formatDuration } from "@lendbuf/shared/duration";
import { EXIT } from "./exit-codes.ts";
import { Failure } from "./failure.ts";
import { notify } from "./output/print.ts";

const SECOND_MS = 1000;
const CLEAR_LINE = "\r\x1b[K";

/** The same agent; on a terminal it tells, second by second, for which answer we wait when that takes longer than one. */
export function showingProgress(agent: Calls): Calls {
  if (!process.stderr.isTTY) return agent;
  const call: Calls["call"] = async (method, ...args) => {
    const start = Date.now();
    const tick = () =>
      notify(`${CLEAR_LINE}Waiting for the agent (${method}), ${formatDuration(Date.now() - start)} …`);
    const clock = setInterval(tick, SECOND_MS);
    try {
      return await agent.call(method, ...args);
    } finally {
      clearInterval(clock);
      if (Date.now() - start >= SECOND_MS) notify(CLEAR_LINE);
    }
  };
  return { call, subscribe: agent.subscribe.bind(agent), [Symbol.dispose]: () => agent[Symbol.dispose]() };
}

/** Aborts after so long, with what is then to be said; never without a time. */
export function timeoutAfter(ms: number | undefined): AbortSignal {
  const stop = new AbortController();
  if (ms !== undefined) {
    const failure = new Failure("TIMEOUT", EXIT.timeout, `It took longer than ${formatDuration(ms)} (--timeout).`);
    setTimeout(() => stop.abort(failure), ms).unref();
  }
  return stop.signal;
}

/** What the work answers, unless it is aborted before; then it is left to end by itself. */
export function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const aborted = new Promise<never>((_resolve, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
  return Promise.race([work, aborted]);
}

import type { Output, Subscription } from "@lendbuf/shared/api";
import { EVENTS, PROCEDURES } from "@lendbuf/shared/procedures";
import type { Arguments, Calls, PlainCall } from "./calls.ts";
import { DoorRefusal, errorFromWire, NoAgent, unreachable, type WireError } from "./errors.ts";
import { Feed } from "./feed.ts";
import { follow } from "./http-feed.ts";

/** An answer of tRPC, or of the door itself: a refusal whose code is a word. */
interface Answer {
  result?: { data: unknown };
  error?: WireError | { code: string; message: string };
}

/** An agent elsewhere, through its HTTP door. Memory cannot be handed over here. */
export class HttpAgent implements Calls {
  readonly #url: string;
  readonly #headers: { authorization: string };
  readonly #stop = new AbortController();

  /** `url` as the agent says it, `http://127.0.0.1:7117`; `token` as `lendbuf token create` made it. @throws TypeError: the token could be read on the way */
  constructor(url: string, token: string) {
    const { protocol, hostname, origin } = new URL(url);
    if (protocol !== "https:" && !isLoopback(hostname))
      throw new TypeError(
        `${origin} is another host, and http:// would show it and all on the way the token. Use https://.`,
      );
    this.#url = origin;
    this.#headers = { authorization: `Bearer ${token}` };
  }

  /** Rejects with DoorRefusal where the token does not let us in, NoAgent where none answers; else as Calls says. */
  async call<M extends PlainCall>(method: M, ...[input, options]: Arguments<M>): Promise<Output<M>> {
    const response = await this.#fetch(method, input ?? {}, options?.signal);
    const answer = await parse(response);
    if (answer?.result) return answer.result.data as Output<M>;
    if (!answer?.error)
      throw new NoAgent("EPROTO", `What answers at ${this.#url} (status ${response.status}) is no agent of ours.`);
    const { error } = answer;
    throw typeof error.code === "string" ? new DoorRefusal(error.code, error.message) : errorOf(error as WireError);
  }

  subscribe<M extends Subscription>(method: M, ...[input, options]: Arguments<M>): AsyncIterableIterator<Output<M>> {
    options?.signal?.throwIfAborted();
    const stop = new AbortController();
    const feed = new Feed<Output<M>>({ latestOnly: !EVENTS.includes(method), onReturn: () => stop.abort() });
    const cancel = () => {
      stop.abort();
      feed.end(options?.signal?.reason);
    };
    options?.signal?.addEventListener("abort", cancel, { once: true });
    void follow(
      this.#url,
      this.#headers,
      { path: method, input: input ?? {} },
      feed as Feed<unknown>,
      AbortSignal.any([stop.signal, this.#stop.signal]),
    );
    return feed;
  }

  /** Ends what is under way. */
  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #fetch(method: PlainCall, input: object, signal: AbortSignal | undefined): Promise<Response> {
    const isQuery = PROCEDURES[method] === "query";
    const body = JSON.stringify(input);
    const query = isQuery ? `?${new URLSearchParams({ input: body })}` : "";
    try {
      return await fetch(`${this.#url}/trpc/${method}${query}`, {
        ...(isQuery ? {} : { method: "POST", body }),
        headers: { ...this.#headers, ...(!isQuery && { "content-type": "application/json" }) },
        redirect: "error", // whoever answers elsewhere is not to see the token
        signal: signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal,
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw unreachable(this.#url, error);
    }
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "[::1]" || /^127(\.\d+){3}$/.test(hostname);
}

/** What only the door knows has a code that is none of the agent's. */
function errorOf(error: WireError): Error {
  const code = error.data?.code;
  return code === "UNAUTHORIZED" ? new DoorRefusal(code, error.message) : errorFromWire(error);
}

async function parse(response: Response): Promise<Answer | undefined> {
  try {
    return (await response.json()) as Answer;
  } catch {
    return undefined;
  }
}

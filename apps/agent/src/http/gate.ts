import { AgentError } from "@lendbuf/shared/errors";
import type { WebSocket } from "ws";
import { z } from "zod";

/** Who has so much unread gets no state and no call of his runs. */
export const SLOW_READER_BYTES = 256 * 1024;
const MAX_CALLS = 64;
const MAX_HELD = 64;
const LOOK_AGAIN_MS = 20;

const Id = z.union([z.string().max(64), z.number()]);
const Request = z.object({
  id: Id,
  method: z.enum(["query", "mutation", "subscription"]),
  params: z.object({ path: z.string(), input: z.unknown().optional(), lastEventId: z.string().optional() }),
});
const Message = z.union([
  z.object({ method: z.literal("connectionParams"), data: z.unknown() }),
  z.object({ method: z.literal("subscription.stop"), id: Id }),
  Request,
]);

interface Response {
  id?: unknown;
  error?: unknown;
  result?: { type?: string };
}

/**
 * Stands between a WebSocket and tRPC's adapter, which takes whatever comes: a message could hold a thousand calls, and each
 * answer be a megabyte that nobody reads. Hands messages on one by one, while the client reads and not too many of its calls run.
 */
export class Gate {
  readonly #client: WebSocket;
  readonly #running = new Map<unknown, "call" | "subscription">();
  readonly #held: [data: Buffer, isBinary: boolean][] = [];
  #calls = 0;
  #isPassing = false;

  constructor(client: WebSocket) {
    this.#client = client;
  }

  /** Puts itself before those who listen to the client's messages. */
  stand(): void {
    const client = this.#client;
    const listeners = client.listeners("message");
    client.removeAllListeners("message");
    const handOn = (...message: unknown[]) => {
      for (const listener of listeners) listener.apply(client, message);
    };
    client.on("message", (data: Buffer, isBinary: boolean) => {
      if (client.readyState !== client.OPEN) return; // ours to end: what comes meanwhile is not heard
      if (data.toString("latin1", 0, 8) === "PONG") return handOn(data, isBinary);
      for (const one of isBinary ? [data] : split(data)) this.#held.push([one, isBinary]);
      void this.#pass(handOn);
    });
  }

  /** tRPC's encoder, for this client. */
  readonly encoder = {
    decode: (data: unknown): unknown => {
      const message = Message.safeParse(typeof data === "string" ? parse(data) : undefined).data;
      if (!message) throw new AgentError("BAD_INPUT", "A message is one request in JSON text, with an id and a path.");
      return "params" in message ? this.#begin(message) : message;
    },
    encode: (response: unknown): string => {
      this.#end(response as Response);
      return JSON.stringify(response);
    },
  };

  #begin(message: z.infer<typeof Request>): object {
    const { id, method, params } = message;
    if (this.#running.has(id)) throw new AgentError("BAD_INPUT", "The request's id is still in use.");
    this.#running.set(id, method === "subscription" ? method : "call");
    if (method !== "subscription") this.#calls++;
    const { path, input, lastEventId } = params;
    if (lastEventId === undefined) return message;
    // tRPC's clients resume by the last event's id; the contract calls it `after`.
    return { id, method, params: { path, input: { ...(input as object), after: Number(lastEventId) } } };
  }

  #end({ id, error, result }: Response): void {
    const kind = this.#running.get(id);
    if (kind === "call") this.#calls--;
    if (kind === "call" || error !== undefined || result?.type === "stopped") this.#running.delete(id);
  }

  get #isFull(): boolean {
    return this.#client.bufferedAmount > SLOW_READER_BYTES || this.#calls >= MAX_CALLS;
  }

  async #pass(handOn: (...message: unknown[]) => void): Promise<void> {
    if (this.#isPassing) return;
    this.#isPassing = true;
    const client = this.#client;
    while (this.#held.length > 0 && client.readyState === client.OPEN) {
      if (this.#held.length > MAX_HELD && !client.isPaused) client.pause();
      if (this.#isFull) {
        await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
        continue;
      }
      handOn(...this.#held.shift()!);
      await new Promise((resolve) => setImmediate(resolve)); // most have answered by then
    }
    this.#isPassing = false;
    if (client.isPaused) client.resume();
  }
}

/** tRPC's clients send what they ask in one moment as one array. */
function split(data: Buffer): Buffer[] {
  const all = data[0] === OPENING_BRACKET ? parse(data.toString()) : undefined;
  return Array.isArray(all) ? all.map((one) => Buffer.from(JSON.stringify(one))) : [data];
}

const OPENING_BRACKET = 0x5b;

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

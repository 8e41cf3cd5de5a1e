import { AgentError } from "@lendbuf/shared/errors";
import { type AnyTRPCRouter, getTRPCErrorFromUnknown, getTRPCErrorShape, isTrackedEnvelope } from "@trpc/server";
import { noteRefused } from "../accounts/refused.ts";
import type { Context, FdReply } from "../context.ts";
import type { Claimant } from "../delegations/live.ts";

/** The way back to the client. */
export interface Wire {
  /** Resolves when the client has room for more. */
  send(message: object): Promise<void> | undefined;
  /** Resolves when the client has room for another state; undefined where it has. */
  room(): Promise<void> | undefined;
  /** Sends once the client has read the fds it was sent before; false where it does not in time. Asks for the fd at the last moment, and rejects with what that throws. */
  sendFd(message: object, fd: () => number): Promise<boolean>;
  /** Ends the connection after what was sent. */
  drop(why: string): void;
}

interface Request {
  id: string | number;
  method: string;
  params?: unknown;
}

const MAX_RUNNING = 256;
/** Of a packet's 64 KiB, with room for what is around the items. */
const REPLY_BYTES = 60_000;

/** JSON-RPC 2.0 requests of one connection to the procedures of the router. */
export class Requests {
  readonly #procedures: Record<string, AnyProcedure>;
  readonly #config: AnyTRPCRouter["_def"]["_config"];
  readonly #context: Pick<Context, "core" | "caller">;
  readonly #claimant: Claimant;
  readonly #wire: Wire;
  readonly #running = new Map<string | number, Run>();
  #closed = false;

  constructor(router: AnyTRPCRouter, context: Pick<Context, "core" | "caller">, claimant: Claimant, wire: Wire) {
    this.#procedures = router._def.procedures as Record<string, AnyProcedure>;
    this.#config = router._def._config;
    this.#context = context;
    this.#claimant = claimant;
    this.#wire = wire;
  }

  /** One packet. What is no request ends the connection; a request that is refused is answered and keeps it. */
  take(text: string): void {
    const parsed = parse(text);
    if ("problem" in parsed) {
      this.#wire.send({
        jsonrpc: "2.0",
        id: null,
        error: { code: parsed.code, message: parsed.problem, data: { code: "BAD_INPUT" } },
      });
      return this.#wire.drop(parsed.problem);
    }
    if (parsed.method === "cancel") return this.#cancel(parsed);
    const problem = this.#problemOf(parsed);
    if (problem) return void this.#refuse(parsed.id, problem);
    void this.#run(parsed);
  }

  /** The client has gone: everything that runs for it stops. */
  close(): void {
    this.#closed = true;
    for (const run of this.#running.values()) run.abort();
  }

  #problemOf({ id, method }: Request): AgentError | undefined {
    if (!Object.hasOwn(this.#procedures, method))
      return new AgentError(
        "UNKNOWN_METHOD",
        `There is no method "${method.slice(0, 100)}". docs/protocol.md lists them.`,
      );
    if (this.#running.has(id))
      return new AgentError(
        "BAD_INPUT",
        `Request id ${JSON.stringify(id)} is still in use. Give each request an id of its own.`,
      );
    if (this.#running.size >= MAX_RUNNING)
      return new AgentError(
        "LIMIT",
        `${MAX_RUNNING} requests of this connection are under way, the most there may be. Wait for answers, or cancel some.`,
      );
    return undefined;
  }

  #cancel({ id, params }: Request): void {
    const target = (params as { id?: unknown } | undefined)?.id;
    this.#running.get(target as string | number)?.abort();
    this.#reply(id, { result: {} });
  }

  async #run({ id, method, params }: Request): Promise<void> {
    const procedure = this.#procedures[method]!;
    const run = new Run();
    this.#running.set(id, run);
    const { type } = procedure._def;
    let attached: { fd: () => number; undo: () => void } | undefined;
    const fdReply: FdReply = { claimant: this.#claimant, attachFd: (fd, undo) => (attached = { fd, undo }) };
    const { core, caller } = this.#context;
    const ctx: Context = {
      core,
      caller,
      fdReply,
      replyBytes: REPLY_BYTES,
      room: () => this.#wire.room(),
      get signal() {
        return run.signal;
      },
    };
    const refuse = (cause: unknown) => {
      const error = getTRPCErrorFromUnknown(cause);
      const shape = getTRPCErrorShape({ config: this.#config, error, type, path: method, input: params, ctx }) as Shape;
      noteRefused(core, caller, method, { code: shape.data.code, message: shape.message }, params);
      if (error.code === "INTERNAL_SERVER_ERROR" && !(error.cause instanceof AgentError))
        core.log.error({ request: id, method, actor: caller.actor, seq: core.store.head.seq, cause }, "request failed");
      return shape;
    };
    try {
      const result = await procedure({
        ctx,
        path: method,
        type,
        getRawInput: async () => params,
        signal: type === "subscription" ? run.signal : undefined,
        batchIndex: 0,
      });
      if (type === "subscription") await this.#stream(id, result as AsyncIterable<unknown>, run.signal, refuse);
      else if (attached) await this.#replyWithFd(id, result, attached.fd, attached.undo);
      else this.#reply(id, { result: result ?? null });
    } catch (cause) {
      this.#reply(id, { error: strip(refuse(cause)) });
    } finally {
      this.#running.delete(id);
    }
  }

  async #stream(
    id: string | number,
    values: AsyncIterable<unknown>,
    signal: AbortSignal,
    refuse: (cause: unknown) => Shape,
  ): Promise<void> {
    const event = (params: object) =>
      this.#send({ jsonrpc: "2.0", method: "event", params: { subscription: id, ...params } });
    this.#reply(id, { result: { subscription: id } });
    try {
      for await (const value of values) {
        if (signal.aborted) break;
        await event(isTrackedEnvelope(value) ? { eventId: value[0], data: value[1] } : { data: value });
      }
      if (!this.#closed) await event({ done: true });
    } catch (cause) {
      await event({ error: strip(refuse(cause)) });
    }
  }

  #refuse(id: string | number, error: AgentError): void {
    const code = error.code === "UNKNOWN_METHOD" ? -32601 : -32600;
    this.#reply(id, { error: { code, message: error.message, data: { code: error.code } } });
  }

  #reply(id: string | number, message: object): void {
    void this.#send({ jsonrpc: "2.0", id, ...message });
  }

  async #replyWithFd(id: string | number, result: unknown, fd: () => number, undo: () => void): Promise<void> {
    if (this.#closed || (await this.#wire.sendFd({ jsonrpc: "2.0", id, result }, fd))) return;
    undo();
    throw new AgentError(
      "UNREAD_CLAIM",
      "An fd that you were sent before is still unread. Read the answer to each claim before the next; this one was ended.",
    );
  }

  #send(message: object): Promise<void> | undefined {
    return this.#closed ? undefined : this.#wire.send(message);
  }
}

/** A request under way. Most never ask for their signal, and making one is dear. */
class Run {
  #controller: AbortController | undefined;
  #isAborted = false;

  get signal(): AbortSignal {
    if (!this.#controller) {
      this.#controller = new AbortController();
      if (this.#isAborted) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  abort(): void {
    this.#isAborted = true;
    this.#controller?.abort();
  }
}

interface AnyProcedure {
  (options: object): Promise<unknown>;
  _def: { type: "query" | "mutation" | "subscription" };
}

interface Shape {
  code: number;
  message: string;
  data: { code: string; [more: string]: unknown };
}

/** What tRPC adds for HTTP says nothing here. */
function strip({ code, message, data }: Shape): object {
  const { httpStatus: _, path: __, stack: ___, ...kept } = data;
  return { code, message, data: kept };
}

function parse(text: string): Request | { problem: string; code: number } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return { code: -32700, problem: `The packet is not JSON: ${(cause as Error).message}. The connection is closed.` };
  }
  if (Array.isArray(value))
    return { code: -32600, problem: "Batches are not taken: send one request per packet. The connection is closed." };
  const request = value as Partial<Request & { jsonrpc: unknown }> | null;
  const isId = typeof request?.id === "string" ? request.id.length <= 64 : Number.isSafeInteger(request?.id);
  if (request?.jsonrpc !== "2.0" || typeof request.method !== "string" || !isId) {
    return {
      code: -32600,
      problem:
        'The packet is not a JSON-RPC 2.0 request: it takes "jsonrpc": "2.0", a "method", and an "id" that is a whole number or a string of at most 64 characters. The connection is closed.',
    };
  }
  return request as Request;
}

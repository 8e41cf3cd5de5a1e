import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { TRPCError } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import { type WebSocket, WebSocketServer } from "ws";
import { appRouter } from "../api/router.ts";
import type { Context } from "../context.ts";
import type { Caller, Core } from "../core.ts";
import { callerOfSession, callerOfToken, cookieOf } from "./credentials.ts";
import type { Refusal } from "./guard.ts";

const MAX_MESSAGE = 65_536;
const MAX_SOCKETS = 512;
/** A subscription waits while a client has so much unread. */
const SLOW_READER_BYTES = 256 * 1024;
const LOOK_AGAIN_MS = 20;
/** A client that has not read for so long is gone. */
const STUCK_MS = 30_000;
/** A page that does not prove itself in time. */
const PROOF_MS = 5000;

/** The WebSocket half of the door: tRPC's own adapter behind our checks. */
export class Sockets {
  readonly #core: Core;
  readonly #server = new WebSocketServer({ noServer: true, maxPayload: MAX_MESSAGE, perMessageDeflate: false });
  readonly #bySession = new Map<string, Set<WebSocket>>();
  readonly #handle: (client: WebSocket, request: IncomingMessage) => void;

  constructor(core: Core, port: () => number) {
    this.#core = core;
    this.#handle = getWSConnectionHandler({
      wss: this.#server,
      router: appRouter,
      keepAlive: { enabled: true, pingMs: 15_000, pongWaitMs: 10_000 },
      createContext: ({ req, res, info }): Context => {
        const caller = callerOfToken(core, req) ?? callerOfSession(core, req, port(), info.connectionParams?.key);
        if (!caller)
          throw new TRPCError({
            code: "UNAUTHORIZED",
            message: "This page is not signed in. `lendbuf login` prints a link.",
          });
        this.#bind(res, caller);
        return {
          core,
          caller,
          signal: info.signal,
          replyBytes: 1 << 20,
          room: () => roomIn(res),
          subscriptions: { count: 0 },
        };
      },
    });
    core.sessions.onEnd = (id) => {
      for (const socket of this.#bySession.get(id) ?? []) socket.close(4401, "the session has ended");
    };
  }

  get clients(): number {
    return this.#server.clients.size;
  }

  /** What an upgrade lacks to be let in; its origin and host have been checked. */
  refusalOf(request: IncomingMessage, path: string, port: number): Refusal | undefined {
    if (path !== "/trpc") return { status: 404, code: "NOT_FOUND", message: "WebSockets are answered at /trpc." };
    if (this.clients >= MAX_SOCKETS)
      return { status: 503, code: "LIMIT", message: `${MAX_SOCKETS} WebSockets are open, the most there may be.` };
    if (callerOfToken(this.#core, request)) return undefined;
    // A browser always names its origin, so who does not is a script and needs a token.
    if (request.headers.origin !== undefined && this.#core.sessions.ofCookie(cookieOf(request, port))) return undefined;
    return {
      status: 401,
      code: "UNAUTHORIZED",
      message: "Sign in first: `lendbuf login` prints a link; scripts send a token.",
    };
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#server.handleUpgrade(request, socket, head, (client) => {
      client.on("error", () => client.terminate());
      const proof = setTimeout(() => client.terminate(), PROOF_MS);
      client.once("close", () => clearTimeout(proof));
      client.once("proven", () => clearTimeout(proof));
      this.#handle(client, request);
    });
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  #bind(client: WebSocket, { door, credential }: Caller): void {
    client.emit("proven");
    if (door !== "session" || !credential) return;
    const sockets = this.#bySession.get(credential) ?? new Set();
    this.#bySession.set(credential, sockets.add(client));
    client.once("close", () => {
      sockets.delete(client);
      if (sockets.size === 0) this.#bySession.delete(credential);
    });
  }
}

function roomIn(client: WebSocket): Promise<void> | undefined {
  return client.bufferedAmount > SLOW_READER_BYTES ? drain(client) : undefined;
}

async function drain(client: WebSocket): Promise<void> {
  const start = performance.now();
  while (client.bufferedAmount > SLOW_READER_BYTES && client.readyState === client.OPEN) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    if (performance.now() - start > STUCK_MS) client.terminate();
  }
}

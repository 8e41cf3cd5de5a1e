import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { TRPCError } from "@trpc/server";
import { getWSConnectionHandler } from "@trpc/server/adapters/ws";
import type { TRPCRequestInfo } from "@trpc/server/http";
import { type WebSocket, WebSocketServer } from "ws";
import { appRouter } from "../api/router.ts";
import type { Context } from "../context.ts";
import type { Caller, Core } from "../core.ts";
import { callerOfSession, callerOfToken, sessionsOf } from "./credentials.ts";
import { Gate, SLOW_READER_BYTES } from "./gate.ts";
import type { Refusal } from "./guard.ts";
import type { Place } from "./place.ts";
import { noteFailure } from "./reply.ts";

const MAX_MESSAGE = 65_536;
const MAX_SOCKETS = 512;
const MAX_PER_ACCOUNT = 128;
const LOOK_AGAIN_MS = 20;
/** A client that has not read for so long is gone. */
const STUCK_MS = 30_000;
/** A page that does not prove itself in time. */
const PROOF_MS = 5000;
/** For the goodbye of who has no access any more. */
const FAREWELL_MS = 1000;

/** The WebSocket half of the door: tRPC's own adapter behind our checks. */
export class Sockets {
  readonly #core: Core;
  readonly #server = new WebSocketServer({
    noServer: true,
    maxPayload: MAX_MESSAGE,
    perMessageDeflate: false,
    autoPong: false,
  });
  /** By the id of the session or token that let them in. */
  readonly #byCredential = new Map<string, Set<WebSocket>>();
  readonly #counts = new Map<string, number>();

  constructor(core: Core) {
    this.#core = core;
    const end = (id: string) => {
      for (const client of this.#byCredential.get(id) ?? []) dismiss(client);
    };
    core.sessions.onEnd = end;
    core.tokens.onEnd = end;
  }

  get clients(): number {
    return this.#server.clients.size;
  }

  /** What an upgrade lacks to be let in; its origin and host have been checked. */
  refusalOf(request: IncomingMessage, path: string, place: Place): Refusal | undefined {
    if (path !== "/trpc") return { status: 404, code: "NOT_FOUND", message: "WebSockets are answered at /trpc." };
    if (this.clients >= MAX_SOCKETS)
      return { status: 503, code: "LIMIT", message: `${MAX_SOCKETS} WebSockets are open, the most there may be.` };
    const account = this.#accountOf(request, place);
    if (account === undefined)
      return {
        status: 401,
        code: "UNAUTHORIZED",
        message: "Sign in first: `lendbuf login` prints a link; scripts send a token.",
      };
    if ((this.#counts.get(account) ?? 0) >= MAX_PER_ACCOUNT)
      return {
        status: 429,
        code: "LIMIT",
        message: `${account} has ${MAX_PER_ACCOUNT} WebSockets, the most that it may have. Close some.`,
      };
    return undefined;
  }

  /** Whose it is, as far as its headers tell: a page's key comes later. */
  #accountOf(request: IncomingMessage, place: Place): string | undefined {
    const caller = callerOfToken(this.#core, request);
    // A browser always names its origin, so who does not is a script and needs a token.
    if (caller || request.headers.origin === undefined) return caller?.account;
    return sessionsOf(this.#core, request, place)[0]?.account;
  }

  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, place: Place): void {
    const account = this.#accountOf(request, place)!;
    this.#server.handleUpgrade(request, socket, head, (client) => {
      client.on("error", () => cutLater(client)); // ws says goodbye with its reason
      client.on("ping", (data) => client.bufferedAmount < SLOW_READER_BYTES && client.pong(data));
      this.#count(account, 1);
      client.once("close", () => this.#count(account, -1));
      const proof = setTimeout(() => client.terminate(), PROOF_MS);
      client.once("close", () => clearTimeout(proof));
      client.once("proven", () => clearTimeout(proof));
      const gate = new Gate(client);
      getWSConnectionHandler({
        wss: this.#server,
        router: appRouter,
        keepAlive: { enabled: true, pingMs: 15_000, pongWaitMs: 10_000 },
        experimental_encoder: gate.encoder,
        createContext: ({ info }) => this.#contextOf(client, request, place, info),
        onError: (failure) => noteFailure(this.#core, request, failure),
      })(client, request);
      gate.stand();
    });
  }

  #contextOf(
    client: WebSocket,
    request: IncomingMessage,
    place: Place,
    { connectionParams, signal }: TRPCRequestInfo,
  ): Context {
    const core = this.#core;
    const caller = callerOfToken(core, request) ?? callerOfSession(core, request, place, connectionParams?.key);
    if (!caller)
      throw new TRPCError({
        code: "UNAUTHORIZED",
        message: "This page is not signed in. `lendbuf login` prints a link.",
      });
    this.#bind(client, caller);
    return { core, caller, signal, replyBytes: 1 << 20, room: () => roomIn(client), subscriptions: { count: 0 } };
  }

  #count(account: string, change: 1 | -1): void {
    const count = (this.#counts.get(account) ?? 0) + change;
    if (count > 0) this.#counts.set(account, count);
    else this.#counts.delete(account);
  }

  close(): void {
    for (const client of this.#server.clients) client.terminate();
    this.#server.close();
  }

  /** It lives no longer than what let it in. */
  #bind(client: WebSocket, { credential, expiresAt }: Caller): void {
    client.emit("proven");
    const sockets = this.#byCredential.get(credential!) ?? new Set();
    this.#byCredential.set(credential!, sockets.add(client));
    const expiry = this.#core.clock.after(expiresAt! - Date.now(), () => dismiss(client));
    client.once("close", () => {
      expiry.cancel();
      sockets.delete(client);
      if (sockets.size === 0) this.#byCredential.delete(credential!);
    });
  }
}

/** From now on nothing of it is heard; who does not say goodbye is cut. */
function dismiss(client: WebSocket): void {
  client.close(4401, "the session has ended");
  cutLater(client);
}

function cutLater(client: WebSocket): void {
  const farewell = setTimeout(() => client.terminate(), FAREWELL_MS);
  client.once("close", () => clearTimeout(farewell));
}

function roomIn(client: WebSocket): Promise<void> | undefined {
  // One that is being closed never has: to wait for it would be to wait without end, and without letting the event loop go on.
  const isWaitedFor = client.readyState === client.OPEN && client.bufferedAmount > SLOW_READER_BYTES;
  return isWaitedFor ? drain(client) : undefined;
}

async function drain(client: WebSocket): Promise<void> {
  const start = performance.now();
  while (client.bufferedAmount > SLOW_READER_BYTES && client.readyState === client.OPEN) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AGAIN_MS));
    if (performance.now() - start > STUCK_MS) client.terminate();
  }
}

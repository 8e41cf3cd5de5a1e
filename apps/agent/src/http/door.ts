import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { AnyTRPCProcedure } from "@trpc/server";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import { appRouter } from "../api/router.ts";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import { callerOfSession, callerOfToken } from "./credentials.ts";
import { Files } from "./files.ts";
import { guard, type Refusal } from "./guard.ts";
import { Login } from "./login.ts";
import { logBug, refuse, refuseBare, replyJson, SECURITY_HEADERS } from "./reply.ts";
import { Sockets } from "./sockets.ts";

const MAX_BODY = 65_536;
const MAX_CONNECTIONS = 1024;
const LOGIN = new Set(["/login", "/login/oidc", "/login/oidc/callback"]);
const METHODS = ["GET", "HEAD", "POST"];

/** The door for people and remote scripts, on loopback: the dashboard, tRPC, and whether the agent is well. */
export class HttpDoor {
  readonly #core: Core;
  readonly #server: Server;
  readonly #files: Files | undefined;
  readonly #login: Login;
  readonly #sockets: Sockets;
  /** Connections with a request that is not answered yet. */
  readonly #busy = new WeakSet<Duplex>();

  constructor(core: Core, dashboard: string) {
    this.#core = core;
    this.#files = Files.load(dashboard);
    this.#login = new Login(core);
    this.#sockets = new Sockets(core, () => this.#port);
    this.#server = createServer({
      headersTimeout: 5000,
      requestTimeout: 10_000,
      connectionsCheckingInterval: 1000, // else these two are looked at every 30 s
      keepAliveTimeout: 10_000,
      maxHeaderSize: 16_384,
    });
    this.#server.timeout = 30_000; // for those who do not read their answer
    this.#server.maxConnections = Math.min(MAX_CONNECTIONS, Math.floor(core.fileLimit / 4)); // the rest is for what is lent
    this.#server.on("request", (request, response) => void this.#answer(request, response));
    this.#server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    this.#server.on("clientError", (cause: NodeJS.ErrnoException, socket) => {
      const [status, message] = CLIENT_ERRORS[cause.code ?? ""] ?? [400, "This is no HTTP request."];
      if (!socket.writable || this.#busy.has(socket)) socket.destroy();
      else refuseBare(socket, { status, code: "BAD_INPUT", message });
    });
  }

  get clients(): number {
    return this.#sockets.clients;
  }

  /** Resolves with the door's URL. */
  listen(port: number): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(port, "127.0.0.1", () => resolve(`http://127.0.0.1:${this.#port}`));
    });
  }

  close(): void {
    this.#sockets.close();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    // Of requests sent ahead of their answers each could ask for a megabyte that nobody reads.
    if (this.#busy.has(socket)) return void socket.destroy();
    this.#busy.add(socket);
    response.once("close", () => this.#busy.delete(socket));
    response.once("finish", () => request.complete || socket.destroy()); // a body that nobody wanted
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const refusal = guard(request, this.#port);
    if (refusal) return refuse(response, refusal);
    const path = pathOf(request);
    try {
      if (LOGIN.has(path)) return await this.#login.answer(request, response, path, this.#port);
      if (path.startsWith("/trpc/")) return await this.#call(request, response, path.slice("/trpc/".length));
      if (request.method !== "GET" && request.method !== "HEAD")
        return refuse(response, READ_ONLY, { allow: "GET, HEAD" });
      if (path === "/healthz") return this.#health(response);
      if (this.#files) return this.#files.answer(request, response, path);
      refuse(response, NOT_BUILT);
    } catch (cause) {
      this.#core.log.error({ path, cause }, "request failed");
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, code: "INTERNAL", message: "Internal error; the agent's log says more." });
    }
  }

  /** Credentials first: nothing of a stranger's call is parsed. */
  async #call(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
    const key = request.headers["x-lendbuf-key"];
    const caller = callerOfToken(this.#core, request) ?? callerOfSession(this.#core, request, this.#port, key);
    const refusal = caller ? refusalOf(request, path) : UNAUTHORIZED;
    if (!caller || refusal)
      return refuse(response, refusal!, refusal?.status === 405 ? { allow: METHODS.join(", ") } : {});
    const gone = new AbortController();
    response.once("close", () => gone.abort());
    const context: Context = {
      core: this.#core,
      caller,
      signal: gone.signal,
      replyBytes: 1 << 20,
      subscriptions: { count: 0 },
    };
    response.setHeader("cache-control", "no-store");
    await nodeHTTPRequestHandler({
      router: appRouter,
      req: request,
      res: response,
      path,
      allowBatching: false,
      maxBodySize: MAX_BODY,
      createContext: () => context,
      onError: ({ error, path: method }) => logBug(this.#core, error, method),
    });
  }

  #health(response: ServerResponse): void {
    const { store, devices, version } = this.#core;
    const isWell = !store.problem && [...devices.values()].every((device) => device.isReady);
    replyJson(response, isWell ? 200 : 503, { ok: isWell, version });
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    socket.on("error", () => socket.destroy());
    if (this.#busy.has(socket)) return void socket.destroy();
    try {
      const refusal = guard(request, this.#port) ?? this.#sockets.refusalOf(request, pathOf(request), this.#port);
      if (refusal) return refuseBare(socket, refusal);
      this.#sockets.upgrade(request, socket, head);
    } catch (cause) {
      this.#core.log.error({ cause }, "upgrade failed");
      socket.destroy();
    }
  }
}

/** As it was asked for, undecoded: what is served is looked up by it and never becomes a file's path. */
function pathOf({ url = "/" }: IncomingMessage): string {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
}

const SUBSCRIPTIONS = new Set(
  Object.entries(appRouter._def.procedures as unknown as Record<string, AnyTRPCProcedure>)
    .filter(([, { _def }]) => _def.type === "subscription")
    .map(([path]) => path),
);

/** What a call lacks that only this door asks for. */
function refusalOf({ method, headers }: IncomingMessage, path: string): Refusal | undefined {
  if (!METHODS.includes(method!)) return { status: 405, code: "BAD_INPUT", message: "Calls are made by GET or POST." };
  if (SUBSCRIPTIONS.has(path))
    return { status: 405, code: "WRONG_DOOR", message: `Subscribe to ${path} through a WebSocket at /trpc.` };
  if (method === "POST" && !/^application\/json *(;|$)/i.test(headers["content-type"] ?? ""))
    return {
      status: 415,
      code: "BAD_INPUT",
      message: 'A call\'s body is JSON: send "content-type: application/json".',
    };
  if (Number(headers["content-length"] ?? 0) > MAX_BODY)
    return { status: 413, code: "BAD_INPUT", message: `A body has ${MAX_BODY} bytes at most.` };
  return undefined;
}

/** What Node's parser says of bytes that it does not take. */
const CLIENT_ERRORS: Record<string, [status: number, message: string]> = {
  ERR_HTTP_REQUEST_TIMEOUT: [408, "The request did not come in time."],
  HPE_HEADER_OVERFLOW: [431, "The headers have more than 16 KiB."],
};

const READ_ONLY: Refusal = { status: 405, code: "BAD_INPUT", message: "Pages are read by GET." };
const NOT_BUILT: Refusal = {
  status: 503,
  code: "NOT_READY",
  message: "The dashboard is not built. Run: npm run build",
};
const UNAUTHORIZED: Refusal = {
  status: 401,
  code: "UNAUTHORIZED",
  message: "Sign in first: `lendbuf login` prints a link. Scripts send a token: `lendbuf token create NAME` makes one.",
};

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import type { AnyTRPCProcedure } from "@trpc/server";
import { nodeHTTPRequestHandler } from "@trpc/server/adapters/node-http";
import { noteTurnedAway } from "../accounts/refused.ts";
import { appRouter } from "../api/router.ts";
import type { Context } from "../context.ts";
import type { Core } from "../core.ts";
import { notReady } from "../monitoring/health.ts";
import type { Metrics } from "../monitoring/metrics.ts";
import { answerCalendar } from "./calendar.ts";
import type { CertificateFiles } from "./certificate.ts";
import { addressOf, callerOfSession, callerOfToken } from "./credentials.ts";
import { Files } from "./files.ts";
import { guard, type Refusal } from "./guard.ts";
import { limitAddresses, limitConnections, SERVER_LIMITS } from "./limits.ts";
import { Login } from "./login.ts";
import { loopback, type Place, urlOf } from "./place.ts";
import { noteFailure, refuse, refuseBare, replyJson, SECURITY_HEADERS } from "./reply.ts";
import { Sockets } from "./sockets.ts";
import { TlsServer } from "./tls.ts";

const MAX_BODY = 65_536;
const LOGIN = new Set(["/login", "/login/oidc", "/login/oidc/callback"]);
const METHODS = ["GET", "HEAD", "POST"];

/** The door for people and remote scripts, on loopback and over TLS: the dashboard, tRPC, and whether the agent is well. */
export class HttpDoor {
  readonly #core: Core;
  readonly #metrics: Metrics;
  readonly #servers: Server[] = [];
  readonly #files: Files | undefined;
  readonly #login: Login;
  readonly #sockets: Sockets;
  /** Connections with a request that is not answered yet. */
  readonly #busy = new WeakSet<Duplex>();

  constructor(core: Core, metrics: Metrics, dashboard: string) {
    this.#core = core;
    this.#metrics = metrics;
    this.#files = Files.load(dashboard);
    this.#login = new Login(core);
    this.#sockets = new Sockets(core);
  }

  get clients(): number {
    return this.#sockets.clients;
  }

  /** On 127.0.0.1; resolves with the door's URL. */
  async listen(port: number): Promise<string> {
    const server = createServer(SERVER_LIMITS);
    let place: Place | undefined;
    this.#serve(server, () => (place ??= loopback(portOf(server))));
    await listening(server, port, "127.0.0.1");
    return urlOf(loopback(portOf(server)));
  }

  /** The only way off this host; resolves with the URL by the certificate's first name. @throws CertificateError */
  async listenTls({ address, port, files }: TlsPlace): Promise<string> {
    const { clock, log } = this.#core;
    const tls = new TlsServer(files, clock, log);
    const { server } = tls;
    const place = () => {
      const port = portOf(server);
      return { scheme: "https", port, hosts: tls.names.flatMap((name) => hostsOf(name, port)) } as const;
    };
    limitAddresses(server);
    this.#serve(server, place);
    await listening(server, port, address);
    return urlOf(place());
  }

  close(): void {
    this.#sockets.close();
    for (const server of this.#servers) {
      server.close();
      server.closeAllConnections();
    }
  }

  #serve(server: Server, place: () => Place): void {
    limitConnections(server, this.#core.fileLimit);
    server.on("request", (request, response) => void this.#answer(request, response, place()));
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head, place()));
    server.on("clientError", (cause: NodeJS.ErrnoException, socket) => {
      const [status, message] = CLIENT_ERRORS[cause.code ?? ""] ?? [400, "This is no HTTP request."];
      if (!socket.writable || this.#busy.has(socket)) socket.destroy();
      else refuseBare(socket, { status, code: "BAD_INPUT", message });
    });
    this.#servers.push(server);
  }

  async #answer(request: IncomingMessage, response: ServerResponse, place: Place): Promise<void> {
    const { socket } = request;
    // Of requests sent ahead of their answers each could ask for a megabyte that nobody reads.
    if (this.#busy.has(socket)) return void socket.destroy();
    this.#busy.add(socket);
    response.once("close", () => this.#busy.delete(socket));
    response.once("finish", () => request.complete || socket.destroy()); // a body that nobody wanted
    for (const [name, value] of Object.entries(SECURITY_HEADERS)) response.setHeader(name, value);
    const refusal = guard(request, place);
    if (refusal) return this.#turnAway(request, response, refusal);
    const path = pathOf(request);
    try {
      if (LOGIN.has(path)) return await this.#login.answer(request, response, path, place);
      if (path.startsWith("/trpc/")) return await this.#call(request, response, place, path.slice("/trpc/".length));
      if (request.method !== "GET" && request.method !== "HEAD")
        return refuse(response, READ_ONLY, { allow: "GET, HEAD" });
      if (path === "/healthz") return replyJson(response, 200, { ok: true, version: this.#core.version });
      if (path === "/readyz") return this.#readiness(response);
      if (path === "/metrics") return await this.#tellMetrics(request, response);
      if (path === "/calendar.ics") return answerCalendar(this.#core, request, response);
      if (this.#files) return this.#files.answer(request, response, path);
      refuse(response, NOT_BUILT);
    } catch (cause) {
      this.#core.log.error({ path, cause }, "request failed");
      if (response.headersSent) response.destroy();
      else refuse(response, { status: 500, code: "INTERNAL", message: "Internal error; the agent's log says more." });
    }
  }

  /** Credentials first: nothing of a stranger's call is parsed. */
  async #call(request: IncomingMessage, response: ServerResponse, place: Place, path: string): Promise<void> {
    const key = request.headers["x-lendbuf-key"];
    const caller = callerOfToken(this.#core, request) ?? callerOfSession(this.#core, request, place, key);
    const refusal = caller ? refusalOf(request, path) : UNAUTHORIZED;
    if (refusal) this.#noteTurnedAway(request, path, refusal);
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
      onError: (failure) => noteFailure(this.#core, request, failure),
    });
  }

  #turnAway(request: IncomingMessage, response: ServerResponse, refusal: Refusal): void {
    this.#noteTurnedAway(request, "connect", refusal);
    refuse(response, refusal);
  }

  /** Of those that no caller stands behind; what else is wrong with a request is its caller's to read. */
  #noteTurnedAway(request: IncomingMessage, path: string, refusal: Refusal): void {
    if (DENIED.has(refusal.status)) noteTurnedAway(this.#core, addressOf(request), path, refusal);
    else this.#core.refusals.count(refusal.code);
  }

  #readiness(response: ServerResponse): void {
    const missing = notReady(this.#core);
    const ok = missing.length === 0;
    replyJson(response, ok ? 200 : 503, { ok, version: this.#core.version, notReady: missing });
  }

  async #tellMetrics(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!callerOfToken(this.#core, request)) {
      this.#noteTurnedAway(request, "metrics", UNAUTHORIZED);
      return refuse(response, UNAUTHORIZED);
    }
    const text = await this.#metrics.text();
    response.writeHead(200, { "content-type": this.#metrics.contentType, "cache-control": "no-store" }).end(text);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer, place: Place): void {
    socket.on("error", () => socket.destroy());
    if (this.#busy.has(socket)) return void socket.destroy();
    try {
      const refusal = guard(request, place) ?? this.#sockets.refusalOf(request, pathOf(request), place);
      if (refusal) {
        this.#noteTurnedAway(request, "connect", refusal);
        return refuseBare(socket, refusal);
      }
      this.#sockets.upgrade(request, socket, head, place);
    } catch (cause) {
      this.#core.log.error({ cause }, "upgrade failed");
      socket.destroy();
    }
  }
}

/** Where a certificate lets people in from elsewhere. */
export interface TlsPlace {
  address: string;
  port: number;
  files: CertificateFiles;
}

/** Browsers leave HTTPS's own port out. */
function hostsOf(name: string, port: number): string[] {
  const host = isIPv6(name) ? `[${name}]` : name;
  return port === HTTPS_PORT ? [host, `${host}:${port}`] : [`${host}:${port}`];
}

const HTTPS_PORT = 443;

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port;
}

function listening(server: Server, port: number, address: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
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

/** Who is not let in: unknown, from elsewhere, or asking for another host. */
const DENIED = new Set([401, 403, 421]);

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

// The browser door as an attacker sees it: bytes on a socket, requests with any header, WebSockets with any first word.
import { type IncomingHttpHeaders, request } from "node:http";
import { connect, type Socket } from "node:net";
import { isMethod, PROCEDURES } from "@lendbuf/shared/procedures";
import { WebSocket } from "ws";
import type { AgentProcess } from "./harness.ts";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  text: string;
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  json: any;
}

export interface Ask {
  method?: string;
  path: string;
  headers?: Record<string, string | string[]>;
  body?: string | Buffer;
}

/** A browser that is signed in. */
export interface SignedIn {
  /** As it is sent: `lendbuf-7117=…` */
  cookie: string;
  key: string;
  id: string;
}

export class Door {
  readonly agent: AgentProcess;
  readonly port: number;
  readonly origin: string;

  constructor(agent: AgentProcess) {
    this.agent = agent;
    this.origin = agent.url;
    this.port = Number(new URL(agent.url).port);
  }

  /** One request on a connection of its own; rejects where that is cut. */
  ask({ method = "GET", path, headers = {}, body }: Ask): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const asked = request(
        { host: "127.0.0.1", port: this.port, method, path, headers, agent: false },
        async (response) => {
          const chunks: Buffer[] = [];
          try {
            for await (const chunk of response) chunks.push(chunk);
          } catch (cause) {
            return reject(cause);
          }
          const all = Buffer.concat(chunks);
          const text = all.toString();
          resolve({
            status: response.statusCode!,
            headers: response.headers,
            body: all,
            text,
            get json() {
              return JSON.parse(text);
            },
          });
        },
      );
      asked.on("error", reject);
      asked.end(body);
    });
  }

  call(method: string, input: object, headers: Record<string, string> = {}): Promise<Answer> {
    const path = `/trpc/${method}`;
    if (isMethod(method) && PROCEDURES[method] === "query")
      return this.ask({ path: `${path}?input=${encodeURIComponent(JSON.stringify(input))}`, headers });
    return this.ask({
      method: "POST",
      path,
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(input),
    });
  }

  async newToken(name = "script"): Promise<{ id: string; headers: { authorization: string }; token: string }> {
    const connection = await this.agent.connect();
    const { id, token } = await connection.call("tokens.create", { name, scope: "operate" });
    connection.close();
    return { id, token, headers: { authorization: `Bearer ${token}` } };
  }

  /** The secret of a new login link. */
  async newLink(): Promise<string> {
    const connection = await this.agent.connect();
    const { url } = await connection.call("sessions.createLink");
    connection.close();
    return url.split("#login=")[1]!;
  }

  login(secret: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    return this.ask({
      method: "POST",
      path: "/login",
      headers: { "content-type": "application/json", "x-lendbuf": "1", ...headers },
      body: JSON.stringify({ secret }),
    });
  }

  async signIn(): Promise<SignedIn> {
    return this.signInBy(await this.newLink());
  }

  async signInBy(secret: string): Promise<SignedIn> {
    const { headers, json } = await this.login(secret);
    const cookie = headers["set-cookie"]![0]!.split(";")[0]!;
    return { cookie, key: json.key, id: cookie.split("=")[1]!.split(".")[0]! };
  }

  /** What a page of this origin sends. */
  page({ cookie, key }: SignedIn): { cookie: string; "x-lendbuf-key": string; origin: string } {
    return { cookie, "x-lendbuf-key": key, origin: this.origin };
  }

  /** Bytes, written as they are; resolves with all that comes back once the connection is over. */
  async send(text: string | Buffer): Promise<string> {
    const line = this.line();
    line.socket.write(text);
    return line.ended;
  }

  /** A bare connection. */
  line(): Line {
    return new Line(connect(this.port, "127.0.0.1"));
  }

  socket(headers: Record<string, string>, path = "/trpc"): DoorSocket {
    return new DoorSocket(new WebSocket(`ws://127.0.0.1:${this.port}${path}`, { headers }));
  }

  /** A WebSocket of a signed-in page, proven. */
  async pageSocket(signedIn: SignedIn): Promise<DoorSocket> {
    const socket = this.socket({ cookie: signedIn.cookie, origin: this.origin }, "/trpc?connectionParams=1");
    await socket.opened;
    socket.send({ method: "connectionParams", data: { key: signedIn.key } });
    return socket;
  }
}

export class Line {
  readonly socket: Socket;
  received = "";
  /** All that came, once the connection is over, however that ends. */
  readonly ended: Promise<string>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("error", () => {}); // cut, which `ended` tells
    socket.setEncoding("utf8").on("data", (text: string) => {
      this.received += text;
    });
    this.ended = new Promise((resolve) => socket.once("close", () => resolve(this.received)));
  }
}

export interface Ended {
  code: number;
  reason: string;
}

export class DoorSocket {
  readonly socket: WebSocket;
  readonly opened: Promise<void>;
  readonly closed: Promise<Ended>;
  /** The HTTP answer where the upgrade was refused. */
  readonly refused: Promise<{ status: number; text: string }>;
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  readonly #received: any[] = [];
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  readonly #readers: { resolve(message: any): void; reject(error: Error): void }[] = [];
  #id = 0;

  constructor(socket: WebSocket) {
    this.socket = socket;
    socket.on("error", () => {}); // `closed` tells
    this.opened = new Promise((resolve) => socket.once("open", resolve));
    this.closed = new Promise((resolve) =>
      socket.once("close", (code, reason) => {
        for (const { reject } of this.#readers.splice(0)) reject(new Error(`the WebSocket has ended: ${code}`));
        resolve({ code, reason: reason.toString() });
      }),
    );
    this.refused = new Promise((resolve) =>
      socket.once("unexpected-response", async (asked, response) => {
        let text = "";
        for await (const chunk of response) text += chunk;
        asked.destroy();
        resolve({ status: response.statusCode!, text });
      }),
    );
    socket.on("message", (data) => {
      const text = data.toString();
      if (text === "PING") return socket.send("PONG");
      const message = JSON.parse(text);
      const reader = this.#readers.shift();
      if (reader) reader.resolve(message);
      else this.#received.push(message);
    });
  }

  send(message: unknown): void {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }

  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  next(): Promise<any> {
    if (this.#received.length > 0) return Promise.resolve(this.#received.shift());
    if (this.socket.readyState >= this.socket.CLOSING) return Promise.reject(new Error("the WebSocket has ended"));
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Gives the request's id. */
  begin(method: "query" | "mutation" | "subscription", path: string, input?: object): number {
    this.send({ id: ++this.#id, method, params: { path, input } });
    return this.#id;
  }

  /** One call and its answer, which must be the next message. */
  // biome-ignore lint/suspicious/noExplicitAny: any answer at all may come
  async ask(method: "query" | "mutation" | "subscription", path: string, input?: object): Promise<any> {
    this.begin(method, path, input);
    return this.next();
  }

  close(): void {
    this.socket.terminate();
  }
}

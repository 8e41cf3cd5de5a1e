import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from "node:zlib";
import { AgentError } from "@lendbuf/shared/errors";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { Sessions } from "../src/accounts/sessions.ts";
import { Tokens } from "../src/accounts/tokens.ts";
import type { Core } from "../src/core.ts";
import { Files } from "../src/http/files.ts";
import { Login } from "../src/http/login.ts";
import { loopback } from "../src/http/place.ts";
import { Store } from "../src/store/store.ts";
import { temporaryFolder } from "./harness.ts";

const MINUTE_MS = 60_000;

interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

/** A server that answers everything by one function. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server: Server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    ask: (path: string, headers: Record<string, string> = {}, method = "GET", body = "") =>
      new Promise<Answer>((resolve, reject) => {
        const asked = request({ host: "127.0.0.1", port, path, headers, method, agent: false }, async (response) => {
          const chunks: Buffer[] = [];
          for await (const chunk of response) chunks.push(chunk);
          resolve({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) });
        });
        asked.on("error", reject).end(body);
      }),
    /** The head and half of a body now; the rest, and the status, when it is called. */
    halfway: async (headers: Record<string, string>, body: string) => {
      const asked = request({ host: "127.0.0.1", port, path: "/login", headers, method: "POST", agent: false });
      asked.write(body.slice(0, 5));
      const status = new Promise<number>((resolve, reject) =>
        asked.on("response", (response) => resolve(response.resume().statusCode!)).on("error", reject),
      );
      return () => {
        asked.end(body.slice(5));
        return status;
      };
    },
    close: () => server.close(),
  };
}

describe("the limit of failed logins", () => {
  const headers = { "content-type": "application/json", "x-lendbuf": "1" };
  const wrong = JSON.stringify({ secret: "wrong" });
  const right = JSON.stringify({ secret: "right" });
  let now: number;
  let server: Awaited<ReturnType<typeof serve>>;
  const login = async (body: string) => server.ask("/login", headers, "POST", body);

  beforeEach(async () => {
    now = 1000;
    const opened = { cookie: "id.secret", key: "key", expiresAt: Date.now() + MINUTE_MS };
    const core = {
      clock: { now: () => now },
      refusals: { note: () => {} },
      sessions: { open: (secret: string) => (secret === "right" ? opened : undefined) },
    } as unknown as Core;
    const door = new Login(core);
    server = await serve((request, response) => void door.answer(request, response, "/login", loopback(7117)));
  });

  afterEach(() => server.close());

  it("is ten a minute; a valid one works again after the window, and not before", async () => {
    for (let i = 0; i < 10; i++) {
      expect((await login(wrong)).status).toBe(401);
      now += 1000;
    }

    const refused = await login(right);
    now += 50_000 - 1;
    const stillRefused = await login(right);
    now += 1;
    const taken = await login(right);

    expect([refused.status, refused.headers["retry-after"]]).toEqual([429, "50"]);
    expect([stillRefused.status, stillRefused.headers["retry-after"]]).toEqual([429, "1"]);
    expect(taken.status).toBe(200);
  });

  it("is not reached by logins that succeed, nor by what is no login", async () => {
    for (let i = 0; i < 20; i++) {
      expect((await login(right)).status).toBe(200);
      expect((await login("{}")).status).toBe(400);
    }
  });

  it("holds for fifty that all have begun before the first has failed", async () => {
    const finish = await Promise.all(Array.from({ length: 50 }, () => server.halfway(headers, wrong)));
    await login(right); // so their heads have come too

    const statuses = await Promise.all(finish.map((end) => end()));

    expect(statuses.filter((status) => status === 401)).toHaveLength(10);
    expect(statuses.filter((status) => status === 429)).toHaveLength(40);
  });
});

describe("sessions and tokens", () => {
  let folder: string;
  let store: Store;

  beforeEach(() => {
    folder = temporaryFolder();
    store = new Store({ directory: folder, durability: "NORMAL" });
    vi.useFakeTimers({ toFake: ["Date"] });
  });

  afterEach(() => {
    vi.useRealTimers();
    vi.restoreAllMocks();
    store.close();
    rmSync(folder, { recursive: true });
  });

  const refuseWrites = () =>
    vi.spyOn(store, "recordWith").mockImplementation(() => {
      throw new AgentError("STORE_READ_ONLY", "the disk is full");
    });

  it("a link works for ten minutes, and a session for seven days", () => {
    const sessions = new Sessions(store);
    const late = sessions.createLink("uid:1000");
    const { secret } = sessions.createLink("uid:1000");
    vi.advanceTimersByTime(10 * MINUTE_MS - 1);
    const opened = sessions.open(secret, "127.0.0.1:40112")!;
    vi.advanceTimersByTime(1);

    expect(sessions.open(late.secret, "127.0.0.1:40112")).toBeUndefined();
    vi.advanceTimersByTime(7 * 24 * 60 * MINUTE_MS - 2);
    expect(sessions.ofCookie(opened.cookie)).toBeDefined();
    vi.advanceTimersByTime(1);
    expect(sessions.ofCookie(opened.cookie)).toBeUndefined();
    expect(sessions.list()).toEqual([]);
    expect(new Sessions(store).ofCookie(opened.cookie)).toBeUndefined();
  });

  it("a token works as long as it was made for", () => {
    const tokens = new Tokens(store);
    const { token } = tokens.create({ account: "uid:1000", name: "brief", scope: "lend", lifeMs: 1000 }, "uid:1000");

    vi.advanceTimersByTime(999);
    expect(tokens.ofHeader(`Bearer ${token}`)).toMatchObject({ account: "uid:1000" });
    vi.advanceTimersByTime(1);
    expect(tokens.ofHeader(`Bearer ${token}`)).toBeUndefined();
  });

  it("what is too old is swept out of the store when the next comes in", () => {
    const sessions = new Sessions(store);
    const tokens = new Tokens(store);
    sessions.open(sessions.createLink("uid:1000").secret, "127.0.0.1:40112");
    tokens.create({ account: "uid:1000", name: "brief", scope: "lend", lifeMs: 1000 }, "uid:1000");
    vi.advanceTimersByTime(7 * 24 * 60 * MINUTE_MS);

    sessions.open(sessions.createLink("uid:1000").secret, "127.0.0.1:40112");
    tokens.create({ account: "uid:1000", name: "long", scope: "lend", lifeMs: 1000 }, "uid:1000");

    expect(store.all("SELECT name FROM tokens")).toEqual([{ name: "long" }]);
    expect(store.all("SELECT id FROM sessions")).toHaveLength(1);
  });

  it("an account that uses its links up takes none of another's", () => {
    const sessions = new Sessions(store);
    for (let i = 0; i < 10; i++) sessions.createLink("uid:1000");

    expect(() => sessions.createLink("uid:1000")).toThrow(/10 unused login links/);
    expect(sessions.createLink("uid:1001").secret).toHaveLength(43);
    vi.advanceTimersByTime(10 * MINUTE_MS);
    expect(sessions.createLink("uid:1000").secret).toHaveLength(43);
  });

  it("a link is not used up where the session cannot be recorded", () => {
    const sessions = new Sessions(store);
    const { secret } = sessions.createLink("uid:1000");
    const refusing = refuseWrites();

    expect(() => sessions.open(secret, "127.0.0.1:40112")).toThrow("the disk is full");
    refusing.mockRestore();

    expect(sessions.open(secret, "127.0.0.1:40112")).toBeDefined();
  });

  it("a session that ends while nothing can be written has ended, and does not come back with the store", () => {
    const sessions = new Sessions(store);
    const { cookie } = sessions.open(sessions.createLink("uid:1000").secret, "127.0.0.1:40112")!;
    const refusing = refuseWrites();

    expect(() => sessions.end(cookie.split(".")[0]!, "uid:0")).toThrow("the disk is full");
    expect(sessions.ofCookie(cookie)).toBeUndefined();
    sessions.load();
    expect(sessions.ofCookie(cookie)).toBeUndefined();
    refusing.mockRestore();
    sessions.load();

    expect(sessions.ofCookie(cookie)).toBeUndefined();
    expect(new Sessions(store).ofCookie(cookie)).toBeUndefined();
  });

  it("a token that is removed while nothing can be written is of no use, and does not come back with the store", () => {
    const tokens = new Tokens(store);
    const { id, token } = tokens.create(
      { account: "uid:1000", name: "script", scope: "lend", lifeMs: 1000 },
      "uid:1000",
    );
    const refusing = refuseWrites();

    expect(() => tokens.remove(id, "uid:1000", "uid:0")).toThrow("the disk is full");
    expect(tokens.ofHeader(`Bearer ${token}`)).toBeUndefined();
    expect(tokens.list()).toEqual([]);
    refusing.mockRestore();
    tokens.load();

    expect(new Tokens(store).ofHeader(`Bearer ${token}`)).toBeUndefined();
  });
});

describe("the dashboard's files", () => {
  const script = "console.log(1)".repeat(100);
  const csp = "default-src 'none'; script-src 'self' 'sha256-abc'; frame-ancestors 'none'";
  let folder: string;
  let server: Awaited<ReturnType<typeof serve>>;
  let ask: typeof server.ask;

  beforeAll(async () => {
    folder = temporaryFolder();
    mkdirSync(join(folder, "_next"));
    writeFileSync(join(folder, "index.html"), "<h1>Lendbuf</h1>");
    writeFileSync(join(folder, "404.html"), "<h1>Nothing here</h1>");
    writeFileSync(join(folder, "secret.txt"), "not in the list");
    writeFileSync(join(folder, "_next/a-1a2b.js"), script);
    writeFileSync(join(folder, "_next/a-1a2b.js.br"), brotliCompressSync(script));
    writeFileSync(join(folder, "_next/a-1a2b.js.gz"), gzipSync(script));
    const html = { type: "text/html; charset=utf-8", csp };
    const files = {
      "/": { file: "index.html", ...html },
      "/404": { file: "404.html", ...html },
      "/_next/a-1a2b.js": {
        file: "_next/a-1a2b.js",
        type: "text/javascript",
        immutable: true,
        encodings: ["br", "gz"],
      },
    };
    writeFileSync(join(folder, "manifest.json"), JSON.stringify({ files }));
    const door = Files.load(folder)!;
    server = await serve((request, response) => door.answer(request, response, request.url!));
    ask = server.ask;
  });

  afterAll(() => {
    server.close();
    rmSync(folder, { recursive: true });
  });

  it("are undefined where none were built", () => {
    expect(Files.load(join(folder, "nothing"))).toBeUndefined();
  });

  it("have their type, their policy and the headers of every answer", async () => {
    const { status, headers, body } = await ask("/");

    expect([status, body.toString()]).toEqual([200, "<h1>Lendbuf</h1>"]);
    expect(headers).toMatchObject({
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": csp,
      "content-length": "16",
      "cache-control": "no-cache",
      "x-content-type-options": "nosniff",
      "referrer-policy": "no-referrer",
      vary: "accept-encoding",
    });
  });

  it("with a hash in their names are kept for a year", async () => {
    expect((await ask("/_next/a-1a2b.js")).headers["cache-control"]).toBe("public, max-age=31536000, immutable");
  });

  it.each([
    ["br, gzip", "br", brotliDecompressSync],
    ["gzip", "gzip", gunzipSync],
    ["gzip;q=1.0, br;q=0", "gzip", gunzipSync],
    ["br;q=0.000,gzip;q=0", undefined, (body: Buffer) => body],
    ["identity", undefined, (body: Buffer) => body],
    ["", undefined, (body: Buffer) => body],
    ["brotli", undefined, (body: Buffer) => body],
  ])(
    "come compressed as the browser can take it (%j: %s), each form with a tag of its own",
    async (accepted, encoding, open) => {
      const { headers, body } = await ask("/_next/a-1a2b.js", { "accept-encoding": accepted });
      const plain = await ask("/_next/a-1a2b.js");

      expect(headers["content-encoding"]).toBe(encoding);
      expect(Number(headers["content-length"])).toBe(body.length);
      expect(open(body).toString()).toBe(script);
      expect(headers.etag === plain.headers.etag).toBe(encoding === undefined);
    },
  );

  it("that have not changed are not sent again", async () => {
    const { headers } = await ask("/");

    const same = await ask("/", { "if-none-match": String(headers.etag) });
    const other = await ask("/", { "if-none-match": '"other"' });

    expect([same.status, same.body.length, same.headers.etag]).toEqual([304, 0, headers.etag]);
    expect(same.headers["content-security-policy"]).toBe(csp);
    expect(other.status).toBe(200);
  });

  it("have a HEAD without a body", async () => {
    const { status, headers, body } = await ask("/", {}, "HEAD");

    expect([status, headers["content-length"], body.length]).toEqual([200, "16", 0]);
  });

  it.each([
    "/secret.txt",
    "/manifest.json",
    "/index.html",
    "/_next/a-1a2b.js.br",
    "/_next/../secret.txt",
    "/../secret.txt",
    "/%2e%2e/secret.txt",
    "/_next%2fa-1a2b.js",
    "/_next\\a-1a2b.js",
    "/_next/a-1a2b.js%00",
    "//_next/a-1a2b.js",
    "/_next",
    "/_next/",
    "/__proto__",
    "/constructor",
    "/toString",
  ])("that are not in the list are not there: %s", async (path) => {
    const { status, headers, body } = await ask(path, { "if-none-match": "*" });

    expect([status, body.toString(), headers["cache-control"]]).toEqual([404, "<h1>Nothing here</h1>", "no-cache"]);
    expect(headers["content-security-policy"]).toBe(csp);
  });
});

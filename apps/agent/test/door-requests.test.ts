import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door, type SignedIn } from "./door-client.ts";
import { type AgentProcess, startAgent } from "./harness.ts";

let agent: AgentProcess;
let door: Door;
let token: { authorization: string };
let page: SignedIn;

beforeAll(async () => {
  agent = await startAgent();
  door = new Door(agent);
  token = (await door.newToken()).headers;
  page = await door.signIn();
});

afterAll(() => agent.stop());

/** One request, byte for byte, after which we say no more. */
async function statusOf(lines: string[], rest = ""): Promise<number> {
  const answer = await door.send(`${[...lines, "connection: close"].join("\r\n")}\r\n\r\n${rest}`);
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
}

async function count(what: "lent" | "offered"): Promise<number> {
  return (await door.call("status.get", {}, token)).json.result.data.counts[what];
}

describe("the Host of a request", () => {
  it.each(["127.0.0.1", "localhost"])("may be %s, with our port", async (name) => {
    expect(await statusOf(["GET /healthz HTTP/1.1", `host: ${name}:${door.port}`])).toBe(200);
  });

  it.each([
    ["another name, as after DNS rebinding", (port: number) => `evil.example:${port}`],
    ["a name that begins like ours", (port: number) => `127.0.0.1.evil.example:${port}`],
    ["a name that ends like ours", (port: number) => `evil.localhost:${port}`],
    ["no port", () => "127.0.0.1"],
    ["another port", (port: number) => `127.0.0.1:${port + 1}`],
    ["capital letters, which no browser sends", (port: number) => `LOCALHOST:${port}`],
    ["a trailing dot", (port: number) => `localhost.:${port}`],
    ["IPv6", (port: number) => `[::1]:${port}`],
    ["0.0.0.0", (port: number) => `0.0.0.0:${port}`],
    ["another way to write 127.0.0.1", (port: number) => `127.1:${port}`],
    ["a list", (port: number) => `127.0.0.1:${port}, evil.example`],
    ["credentials", (port: number) => `user@127.0.0.1:${port}`],
    ["nothing", () => ""],
  ])("must not be %s", async (_, host) => {
    const header = `authorization: ${token.authorization}`;

    expect(await statusOf(["GET /trpc/status.get HTTP/1.1", `host: ${host(door.port)}`, header])).toBe(421);
    expect(await statusOf(["GET /healthz HTTP/1.1", `host: ${host(door.port)}`])).toBe(421);
    expect(await statusOf(["GET / HTTP/1.1", `host: ${host(door.port)}`])).toBe(421);
  });

  it("must be there, once", async () => {
    const ours = `host: 127.0.0.1:${door.port}`;

    expect(await statusOf(["GET /healthz HTTP/1.1"])).toBe(400);
    expect(await statusOf(["GET /healthz HTTP/1.0"])).toBe(421);
    expect(await statusOf(["GET /healthz HTTP/1.1", ours, "host: evil.example"])).toBe(421);
    expect(await statusOf(["GET /healthz HTTP/1.1", "host: evil.example", ours])).toBe(421);
    expect(await statusOf(["GET /healthz HTTP/1.1", ours, ours])).toBe(421);
  });

  it("is not taken from X-Forwarded-Host, nor from a request for a whole URL", async () => {
    const foreign = ["host: evil.example", `x-forwarded-host: 127.0.0.1:${door.port}`];
    const whole = `GET http://127.0.0.1:${door.port}/healthz HTTP/1.1`;

    expect(await statusOf(["GET /healthz HTTP/1.1", ...foreign])).toBe(421);
    expect(await statusOf([whole, "host: evil.example"])).toBe(421);
    expect(await statusOf([`GET http://evil.example/healthz HTTP/1.1`, `host: 127.0.0.1:${door.port}`])).not.toBe(200);
  });
});

describe("the Origin of a request", () => {
  it.each([
    ["of another site", () => "https://evil.example"],
    ["null, as of a sandboxed frame or a file", () => "null"],
    ["of another port of this host", (port: number) => `http://127.0.0.1:${port + 1}`],
    ["of ours, by https", (port: number) => `https://127.0.0.1:${port}`],
    ["of our other name, which another program may answer by IPv6", (port: number) => `http://localhost:${port}`],
    ["of ours, with a path", (port: number) => `http://127.0.0.1:${port}/`],
    ["of ours and another", (port: number) => `http://127.0.0.1:${port}, https://evil.example`],
    ["empty", () => ""],
  ])("must not be that %s, whatever else is right", async (_, origin) => {
    const headers = { ...door.page(page), origin: origin(door.port) };

    const read = await door.call("status.get", {}, headers);
    const write = await door.call("delegations.revokeAll", {}, headers);
    const health = await door.ask({ path: "/healthz", headers: { origin: origin(door.port) } });

    for (const answer of [read, write, health])
      expect([answer.status, answer.json.error.code]).toEqual([403, "FOREIGN_ORIGIN"]);
  });

  it("is checked against the Host that the same request names", async () => {
    const headers = { ...door.page(page), host: `localhost:${door.port}`, origin: `http://localhost:${door.port}` };

    expect((await door.call("status.get", {}, headers)).status).toBe(200);
  });

  it("and Sec-Fetch-Site: a page of another port of this host cannot have us do anything", async () => {
    for (const site of ["cross-site", "same-site"]) {
      const headers = { cookie: page.cookie, "x-lendbuf-key": page.key, "sec-fetch-site": site };

      expect((await door.call("delegations.revokeAll", {}, headers)).status).toBe(403);
    }
  });
});

describe("credentials", () => {
  const cases: [string, () => Record<string, string>][] = [
    ["nothing at all", () => ({})],
    ["a cookie without its key", () => ({ cookie: page.cookie })],
    ["a key without its cookie", () => ({ "x-lendbuf-key": page.key })],
    ["a cookie and a wrong key", () => ({ cookie: page.cookie, "x-lendbuf-key": "a".repeat(43) })],
    ["a cookie and an empty key", () => ({ cookie: page.cookie, "x-lendbuf-key": "" })],
    ["the cookie's secret as the key", () => ({ cookie: page.cookie, "x-lendbuf-key": page.cookie.split(".")[1]! })],
    ["another port's cookie", () => ({ ...door.page(page), cookie: page.cookie.replace(/\d+=/, "7117=") })],
    ["a cookie cut short", () => ({ ...door.page(page), cookie: page.cookie.slice(0, -1) })],
    ["a cookie with an id and no secret", () => ({ ...door.page(page), cookie: page.cookie.replace(/\..*/, "") })],
    [
      "a cookie of an unknown session",
      () => ({ ...door.page(page), cookie: page.cookie.replace(page.id, "0".repeat(12)) }),
    ],
    ["a token cut short", () => ({ authorization: token.authorization.slice(0, -1) })],
    ["a token with another secret", () => ({ authorization: token.authorization.replace(/.{43}$/, "a".repeat(43)) })],
    ["a token under another scheme", () => ({ authorization: token.authorization.replace("Bearer", "Basic") })],
    ["a token with a quote in its id", () => ({ authorization: `Bearer lendbuf_' OR 1=1 --_${"a".repeat(43)}` })],
    ["a token as a cookie", () => ({ cookie: `lendbuf-${door.port}=${token.authorization.slice(7)}` })],
  ];

  it.each(cases)("%s: 401, whatever is asked", async (_, headers) => {
    for (const [method, path] of [
      ["GET", "/trpc/status.get"],
      ["GET", "/trpc/nothing.at.all"],
      ["POST", "/trpc/delegations.revokeAll"],
      ["OPTIONS", "/trpc/status.get"],
      ["PUT", "/trpc/status.get"],
    ] as const) {
      const answer = await door.ask({ method, path, headers: headers() });

      expect([answer.status, answer.json.error.code]).toEqual([401, "UNAUTHORIZED"]);
    }
  });

  it("that are not there are found before anything is parsed", async () => {
    const answer = await door.ask({
      method: "POST",
      path: "/trpc/__proto__?input=%7Bnope&batch=1",
      headers: { "content-type": "application/json" },
      body: "{nope",
    });

    expect(answer.status).toBe(401);
  });

  it("another's cookie with the same name, sent first, does not sign a page out", async () => {
    const tossed = `lendbuf-${door.port}=tossed; ${page.cookie}`;
    const other = await door.signIn();

    expect((await door.call("status.get", {}, { ...door.page(page), cookie: tossed })).status).toBe(200);
    const both = { ...door.page(page), cookie: `${other.cookie}; ${page.cookie}` };
    const sessions = (await door.call("sessions.list", {}, both)).json.result.data;
    expect(sessions.find(({ isCurrent }: { isCurrent: boolean }) => isCurrent).id).toBe(page.id);
  });
});

describe("what a foreign page can send without asking (CSRF)", () => {
  const types = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"];

  it.each(types)("by a form of %s: nothing happens, with the cookie and with the key", async (type) => {
    const body = type.startsWith("multipart")
      ? '--x\r\ncontent-disposition: form-data; name="buffer"\r\n\r\nsim0/ch0\r\n--x--\r\n'
      : '{"buffer":"sim0/ch0"}';
    const path = "/trpc/delegations.request";
    const ask = (headers: Record<string, string>) =>
      door.ask({ method: "POST", path, body, headers: { "content-type": type, ...headers } });

    expect((await ask({ cookie: page.cookie })).status).toBe(401);
    expect((await ask({ cookie: page.cookie, origin: "https://evil.example" })).status).toBe(403);
    expect((await ask(door.page(page))).status).toBe(415);
    expect((await ask(token)).status).toBe(415);
    expect(await count("offered")).toBe(0);
  });

  it.each([undefined, "application/octet-stream", "application/jsonl", "text/json"])(
    "by %s: refused too",
    async (type) => {
      const headers = { ...token, ...(type && { "content-type": type }) };

      const answer = await door.ask({ method: "POST", path: "/trpc/delegations.request", body: "{}", headers });

      expect([answer.status, answer.json.error.data?.code ?? answer.json.error.code]).toEqual([415, "BAD_INPUT"]);
    },
  );

  it("by GET: nothing is changed by reading", async () => {
    const path = `/trpc/delegations.request?input=${encodeURIComponent('{"buffer":"sim0/ch0"}')}`;
    for (const headers of [token, door.page(page)]) {
      expect((await door.ask({ path, headers })).status).toBe(405);
      expect((await door.ask({ path, headers: { ...headers, "x-http-method-override": "POST" } })).status).toBe(405);
    }

    expect(await count("offered")).toBe(0);
  });

  it("to /login: not without our header, nor in another form than JSON", async () => {
    const secret = await door.newLink();

    expect((await door.login(secret, { "x-lendbuf": "" })).status).toBe(415);
    expect((await door.login(secret, { "content-type": "text/plain" })).status).toBe(415);
    expect((await door.login(secret, { origin: "https://evil.example" })).status).toBe(403);
    expect((await door.ask({ path: `/login?secret=${secret}` })).headers["set-cookie"]).toBeUndefined();
    expect((await door.login(secret)).status).toBe(200);
  });
});

describe("methods of HTTP", () => {
  it("other than GET, HEAD and POST do nothing at /trpc", async () => {
    for (const method of ["PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"]) {
      const answer = await door.ask({ method, path: "/trpc/status.get", headers: token });

      expect([method, answer.status, answer.headers.allow]).toEqual([method, 405, "GET, HEAD, POST"]);
    }
    expect((await door.ask({ method: "HEAD", path: "/trpc/status.get", headers: token })).body).toHaveLength(0);
  });

  it("other than GET and HEAD do nothing elsewhere", async () => {
    for (const method of ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"]) {
      expect((await door.ask({ method, path: "/healthz" })).status).toBe(405);
      expect((await door.ask({ method, path: "/" })).status).toBe(405);
    }
  });

  it("CONNECT is no proxy", async () => {
    expect(await statusOf(["CONNECT 127.0.0.1:22 HTTP/1.1", `host: 127.0.0.1:${door.port}`])).toBe(0);
  });
});

describe("every answer", () => {
  it("forbids pages of other origins to read or frame it, and to guess what it is", async () => {
    const answers = await Promise.all([
      door.ask({ path: "/healthz" }),
      door.ask({ path: "/" }),
      door.ask({ path: "/nothing" }),
      door.ask({ path: "/trpc/status.get" }),
      door.ask({ method: "OPTIONS", path: "/trpc/status.get", headers: { origin: door.origin } }),
      door.ask({ path: "/healthz", headers: { host: "evil.example" } }),
      door.call("status.get", {}, token),
      door.call("status.get", {}, door.page(page)),
      door.call("nothing.here", {}, token),
      door.login("wrong"),
    ]);

    for (const { headers } of answers) {
      expect(headers["content-security-policy"]).toContain("frame-ancestors 'none'");
      expect(headers["content-security-policy"]).not.toMatch(/script-src[^;]*unsafe-inline/);
      expect(headers).toMatchObject({
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
        "x-frame-options": "DENY",
      });
      expect(Object.keys(headers).filter((name) => name.startsWith("access-control-"))).toEqual([]);
    }
  });

  it("with data is kept by no cache", async () => {
    for (const answer of [await door.call("status.get", {}, token), await door.ask({ path: "/trpc/status.get" })])
      expect(answer.headers["cache-control"]).toBe("no-store");
  });
});

describe("paths", () => {
  it.each([
    "/../../../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/%252e%252e/etc/passwd",
    "/..\\..\\etc\\passwd",
    "/..%5c..%5cetc%5cpasswd",
    "/index.html%00.png",
    "//evil.example/x",
    "//127.0.0.1/etc/passwd",
    "/./manifest.json",
    "/manifest.json",
    "/.git/config",
    "/_next/../manifest.json",
    "/__proto__",
    "/constructor",
    "/%",
  ])("%s leads nowhere", async (path) => {
    const { status, headers, text } = await door.ask({ path });

    expect([404, 503]).toContain(status); // 503: the dashboard is not built
    expect(headers.location).toBeUndefined();
    expect(text).not.toContain("root:");
  });

  it.each([
    "__proto__",
    "constructor",
    "status",
    "status.__proto__",
    "status.constructor",
    "status.get.call",
    "toString",
    "hasOwnProperty",
    "a".repeat(50),
  ])("/trpc/%s is no procedure", async (path) => {
    const { status, json } = await door.ask({ path: `/trpc/${path}`, headers: token });

    expect([status, json.error.data.code]).toEqual([404, "UNKNOWN_METHOD"]);
  });

  it("an input cannot reach any prototype", async () => {
    const path = `/trpc/buffers.list?input=${encodeURIComponent('{"__proto__":{"limit":1},"constructor":{"prototype":{}}}')}`;

    expect((await door.ask({ path, headers: token })).status).toBe(400);
    expect((await door.call("buffers.list", {}, token)).json.result.data.items.length).toBeGreaterThan(1);
  });
});

describe("what tRPC offers and we do not", () => {
  it("batches", async () => {
    const answer = await door.ask({ path: "/trpc/status.get,devices.list?batch=1&input=%7B%7D", headers: token });

    expect([answer.status, answer.json.error.data.code]).toEqual([400, "BAD_INPUT"]);
  });

  it("subscriptions by a plain request: they take a WebSocket, which counts them", async () => {
    const headers = { ...token, accept: "text/event-stream" };

    const answer = await door.ask({ path: "/trpc/status.watch", headers });

    expect(answer.status).toBe(405);
    expect(answer.headers["content-type"]).toMatch(/^application\/json/);
    expect(answer.json.error.message).toMatch(/WebSocket/);
  });
});

describe("the answers' status", () => {
  it.each([
    ["buffers.get", { name: "sim0/nope" }, 404, "NOT_FOUND"],
    ["buffers.get", { name: 1 }, 400, "BAD_INPUT"],
    ["buffers.get", { name: "sim0/ch0", colour: "red" }, 400, "BAD_INPUT"],
    ["delegations.request", { buffer: "sim0/ch0", leaseMs: 31_536_000_000 }, 429, "LIMIT"],
    ["delegations.borrow", { buffer: "sim0/ch0" }, 405, "WRONG_DOOR"],
    ["delegations.claim", { id: 1 }, 405, "WRONG_DOOR"],
    ["sessions.createLink", {}, 405, "WRONG_DOOR"],
    ["tokens.create", { name: "from a token" }, 405, "WRONG_DOOR"],
    ["sessions.end", { id: "none" }, 404, "NOT_FOUND"],
    ["tokens.remove", { id: "none" }, 404, "NOT_FOUND"],
  ])("%s %j: %d %s", async (method, input, status, code) => {
    const answer = await door.call(method, input, token);

    expect([answer.status, answer.json.error.data.code]).toEqual([status, code]);
    expect(answer.json.error.message).not.toMatch(/^Internal/);
    expect(answer.json.error.data.stack).toBeUndefined();
  });

  it("of what is no JSON: 400, and the message says so", async () => {
    const headers = { ...token, "content-type": "application/json" };
    const body = await door.ask({ method: "POST", path: "/trpc/delegations.request", headers, body: "{nope" });
    const query = await door.ask({ path: "/trpc/buffers.get?input=%7Bnope", headers: token });

    for (const { status, json } of [body, query]) {
      expect([status, json.error.data.code]).toEqual([400, "BAD_INPUT"]);
      expect(json.error.message).not.toMatch(/^Internal/);
    }
  });
});

describe("bytes that are no request", () => {
  const ours = () => `host: 127.0.0.1:${door.port}`;

  it("a length and chunks at once, or two lengths: refused, and nothing of it is taken for a second request", async () => {
    const smuggled = `GET /trpc/status.get HTTP/1.1\r\n${ours()}\r\nauthorization: ${token.authorization}\r\n\r\n`;
    for (const lengths of [
      "content-length: 4\r\ntransfer-encoding: chunked",
      "transfer-encoding: chunked\r\ncontent-length: 4",
      `content-length: 0\r\ncontent-length: ${smuggled.length}`,
      "transfer-encoding: identity, chunked, identity",
      "content-length: +4",
      "content-length: 0x4",
    ]) {
      const answer = await door.send(`POST /login HTTP/1.1\r\n${ours()}\r\n${lengths}\r\n\r\n0\r\n\r\n${smuggled}`);

      expect([lengths, answer.match(/HTTP\/1\.1 (\d+)/g)]).toEqual([lengths, ["HTTP/1.1 400"]]);
    }
  });

  it("line feeds alone, spaces before a colon, folded lines and control characters are refused", async () => {
    for (const head of [
      `GET /healthz HTTP/1.1\n${ours()}\n\n`,
      `GET /healthz HTTP/1.1\r\nhost : 127.0.0.1:${door.port}\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\n${ours()}\r\nx-a: b\r\n c: d\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\n${ours()}\r\nx-a: b\0c\r\n\r\n`,
      "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", // TLS
      `GET /health z HTTP/1.1\r\n${ours()}\r\n\r\n`,
      `GET /healthz HTTP/9.9\r\n${ours()}\r\n\r\n`,
    ])
      expect(await door.send(Buffer.from(head, "latin1"))).toMatch(/^(HTTP\/1\.1 400 |$)/);
  });

  it("headers above 16 KiB: 431", async () => {
    const answer = await door.send(`GET /healthz HTTP/1.1\r\n${ours()}\r\nx-a: ${"a".repeat(20_000)}\r\n\r\n`);

    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("a second request before the first is answered ends the connection: each could ask for a megabyte", async () => {
    const request = `GET /trpc/delegations.list HTTP/1.1\r\n${ours()}\r\nauthorization: ${token.authorization}\r\n\r\n`;

    const answer = await door.send(request.repeat(100));

    expect((answer.match(/HTTP\/1\.1 200/g) ?? []).length).toBeLessThanOrEqual(1);
  });

  it("requests one after the other share a connection", async () => {
    const line = door.line();
    const request = `GET /healthz HTTP/1.1\r\n${ours()}\r\n\r\n`;
    for (let i = 1; i <= 20; i++) {
      const answered = new Promise<void>((resolve) => line.socket.once("data", () => resolve()));
      line.socket.write(request);
      await answered;
      expect(line.received.match(/HTTP\/1\.1 200/g)).toHaveLength(i);
    }
    line.socket.destroy();
  });
});

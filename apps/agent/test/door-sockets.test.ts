import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door, type DoorSocket, type SignedIn } from "./door-client.ts";
import { type AgentProcess, memoryOf, PROMPT_MS, startAgent, until } from "./harness.ts";

const MIB = 2 ** 20;

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

async function tokenSocket(): Promise<DoorSocket> {
  const socket = door.socket(token);
  await socket.opened;
  return socket;
}

describe("an upgrade", () => {
  const cases: [string, number, () => [headers: Record<string, string>, path?: string]][] = [
    ["without anything", 401, () => [{}]],
    ["with a wrong token", 401, () => [{ authorization: `${token.authorization.slice(0, -1)}_` }]],
    ["with a cookie and no Origin, as no browser does", 401, () => [{ cookie: page.cookie }]],
    ["with our Origin and no cookie", 401, () => [{ origin: door.origin }]],
    ["with a key and no cookie", 401, () => [{ origin: door.origin, "x-lendbuf-key": page.key }]],
    ["of another site, with the cookie", 403, () => [{ cookie: page.cookie, origin: "https://evil.example" }]],
    ["of another port, with the cookie", 403, () => [{ cookie: page.cookie, origin: "http://127.0.0.1:3000" }]],
    ["of no origin, with the cookie", 403, () => [{ cookie: page.cookie, origin: "null" }]],
    ["of another site, with a token", 403, () => [{ ...token, origin: "https://evil.example" }]],
    ["after DNS rebinding", 421, () => [{ ...token, host: `evil.example:${door.port}` }]],
    [
      "with both rebound",
      421,
      () => [{ cookie: page.cookie, host: `evil.example:${door.port}`, origin: `http://evil.example:${door.port}` }],
    ],
    ["elsewhere", 404, () => [token, "/"]],
    ["at a path below", 404, () => [token, "/trpc/status.watch"]],
  ];

  it.each(cases)("%s is refused: %d", async (_, status, upgrade) => {
    const [headers, path] = upgrade();

    const refusal = await door.socket(headers, path).refused;

    expect(refusal.status).toBe(status);
    expect(JSON.parse(refusal.text).error.message).toBeTruthy();
  });

  it("that is refused is over, also where the client does not close its side", async () => {
    const line = door.line();
    line.socket.write(
      `GET / HTTP/1.1\r\nhost: 127.0.0.1:${door.port}\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n`,
    );
    line.socket.allowHalfOpen = true;

    await until(async () => {
      line.socket.write("x"); // answered by a reset once nobody is there
      return line.socket.destroyed;
    }, "our side is reset");

    expect(line.received).toMatch(/^HTTP\/1\.1 404 /);
  });

  it("to another protocol, or with a broken handshake, is refused", async () => {
    const head = `GET /trpc HTTP/1.1\r\nhost: 127.0.0.1:${door.port}\r\nauthorization: ${token.authorization}\r\nconnection: upgrade\r\n`;

    expect(await door.send(`${head}upgrade: h2c\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
    expect(await door.send(`${head}upgrade: websocket\r\nsec-websocket-version: 13\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 400 /,
    );
  });
});

describe("a page's WebSocket", () => {
  const open = async (path = "/trpc?connectionParams=1") => {
    const socket = door.socket({ cookie: page.cookie, origin: door.origin }, path);
    await socket.opened;
    return socket;
  };

  it.each([
    ["no connection parameters", undefined],
    ["a wrong key", { method: "connectionParams", data: { key: "a".repeat(43) } }],
    ["a key that is no text", { method: "connectionParams", data: { key: { length: 43 } } }],
    ["no key", { method: "connectionParams", data: {} }],
    ["a null for parameters", { method: "connectionParams", data: null }],
    ["a first message that is no JSON", "{nope"],
    ["a first message that is a call", { id: 1, method: "mutation", params: { path: "delegations.revokeAll" } }],
    ["a batch for a first message", [{ method: "connectionParams", data: { key: "a" } }]],
  ])("with %s does nothing and is closed", async (what, first) => {
    const socket = await open(first === undefined ? "/trpc" : undefined);
    const start = performance.now();
    if (first !== undefined) socket.send(first);
    for (let id = 1; id <= 3; id++) socket.begin("mutation", "delegations.request", { buffer: "sim0/ch0" });

    await socket.closed;

    expect([what, performance.now() - start < 4500]).toEqual([what, true]);
    expect((await door.call("status.get", {}, token)).json.result.data.counts.offered).toBe(0);
  });

  it("that says nothing is closed after five seconds", async () => {
    const socket = await open();
    const start = performance.now();

    await socket.closed;

    expect(performance.now() - start).toBeGreaterThan(4000);
    expect(performance.now() - start).toBeLessThan(15_000);
  });

  it("with its key is let in, and the agent knows as whom", async () => {
    const socket = await door.pageSocket(page);

    const answer = await socket.ask("query", "sessions.me");

    expect(answer.result.data.account).toBe(`uid:${process.getuid!()}`);
    socket.close();
  });
});

describe("the end of what let a WebSocket in", () => {
  it("of a session: its sockets are closed, and what they ask meanwhile is not done", async () => {
    const ending = await door.signIn();
    const socket = await door.pageSocket(ending);
    socket.begin("subscription", "status.watch");
    await socket.next();
    await socket.next();
    socket.socket.pause(); // so it does not say goodbye either

    await door.call("sessions.end", { id: ending.id }, token);
    for (let i = 0; i < 3; i++) socket.begin("mutation", "delegations.request", { buffer: "sim0/ch0" });
    await until(() => {
      socket.send("x");
      return socket.socket.readyState !== socket.socket.OPEN || socket.socket.bufferedAmount > 0;
    }, "nobody reads").catch(() => {});
    socket.socket.resume();

    expect(await socket.closed).toMatchObject({ code: expect.toBeOneOf([4401, 1006]) });
    expect((await door.call("status.get", {}, token)).json.result.data.counts.offered).toBe(0);
  });

  it("tells a page that listens why, at once", async () => {
    const ending = await door.signIn();
    const socket = await door.pageSocket(ending);
    await socket.ask("query", "sessions.me");
    const start = performance.now();

    await door.call("sessions.end", { id: ending.id }, token);

    expect(await socket.closed).toEqual({ code: 4401, reason: "the session has ended" });
    expect(performance.now() - start).toBeLessThan(PROMPT_MS);
  });

  it("of a token: likewise", async () => {
    const removed = await door.newToken();
    const socket = door.socket(removed.headers);
    await socket.opened;
    await socket.ask("query", "sessions.me");

    await door.call("tokens.remove", { id: removed.id }, token);

    expect(await socket.closed).toMatchObject({ code: 4401 });
  });

  it("by its expiry: likewise", async () => {
    const connection = await agent.connect();
    const brief = await connection.call("tokens.create", { name: "brief", scope: "operate", lifeMs: 700 });
    const socket = door.socket({ authorization: `Bearer ${brief.token}` });
    await socket.opened;
    await socket.ask("query", "sessions.me");

    expect(await socket.closed).toMatchObject({ code: 4401 });
    expect(Date.now()).toBeGreaterThanOrEqual(brief.expiresAt - 5);
    connection.close();
  });
});

describe("messages", () => {
  it("above 64 KiB end the connection", async () => {
    const socket = await tokenSocket();
    socket.begin("query", "buffers.list", { search: "a".repeat(70_000) });

    expect(await socket.closed).toMatchObject({ code: 1009 });
  });

  it("above 64 KiB in pieces, too", async () => {
    const socket = await tokenSocket();
    for (let i = 0; i < 100; i++) socket.socket.send("a".repeat(1000), { fin: false });

    expect(await socket.closed).toMatchObject({ code: 1009 });
  });

  it.each([
    ["no JSON", "{nope"],
    ["a list in a list", '[[{"id":1,"method":"query","params":{"path":"status.get"}}]]'],
    ["null", "null"],
    ["no id", '{"method":"query","params":{"path":"status.get"}}'],
    ["a null id", '{"id":null,"method":"query","params":{"path":"status.get"}}'],
    ["no path", '{"id":1,"method":"query","params":{}}'],
    ["another method", '{"id":1,"method":"call","params":{"path":"status.get"}}'],
    ["a prototype", '{"id":1,"method":"query","params":{"__proto__":{"path":"status.get"}}}'],
  ])("that are no request (%s) are refused, and the connection goes on", async (_, text) => {
    const socket = await tokenSocket();
    socket.send(text);

    const refusal = await socket.next();

    expect(refusal).toMatchObject({ id: null, error: { data: { code: "BAD_INPUT" } } });
    expect(refusal.error.message).not.toMatch(/^Internal/);
    expect((await socket.ask("query", "sessions.me")).result.data).toBeTruthy();
    socket.close();
  });

  it("that are a list of requests, as tRPC's client sends them, are answered one by one", async () => {
    const socket = await tokenSocket();
    const request = (id: number) => ({ id, method: "query", params: { path: "sessions.me" } });
    socket.send([request(1), request(2), "nonsense", request(3)]);

    const answers = [await socket.next(), await socket.next(), await socket.next(), await socket.next()];

    expect(answers.map(({ id }) => id)).toEqual([1, 2, null, 3]);
    socket.close();
  });

  it("that are binary are refused", async () => {
    const socket = await tokenSocket();
    socket.socket.send(Buffer.from('{"id":1,"method":"query","params":{"path":"status.get"}}'));

    expect(await socket.next()).toMatchObject({ error: { data: { code: "BAD_INPUT" } } });
    socket.close();
  });

  it("name procedures and nothing else", async () => {
    const socket = await tokenSocket();
    for (const path of ["__proto__", "constructor", "status", "status.constructor", "toString"])
      expect((await socket.ask("query", path)).error.data.code).toBe("UNKNOWN_METHOD");
    expect((await socket.ask("mutation", "delegations.borrow", { buffer: "sim0/ch0" })).error.data.code).toBe(
      "WRONG_DOOR",
    );
    expect((await socket.ask("query", "delegations.revokeAll")).error).toBeTruthy();
    socket.close();
  });

  it("with an id that is in use are refused", async () => {
    const socket = await tokenSocket();
    const subscribe = { id: 7, method: "subscription", params: { path: "status.watch" } };
    socket.send(subscribe);
    await socket.next();
    await socket.next();
    socket.send(subscribe);

    expect((await socket.next()).error.data.code).toBe("BAD_INPUT");
    socket.close();
  });
});

describe("subscriptions", () => {
  it("64 of a connection get states, the others a refusal, also where all are asked for at once", async () => {
    const socket = await tokenSocket();
    for (let i = 0; i < 80; i++) socket.begin("subscription", "status.watch");
    const started = new Set<number>();
    const refused = new Map<number, string>();
    while (started.size + refused.size < 80) {
      const { id, result, error } = await socket.next();
      if (error) refused.set(id, error.data.code);
      if (result?.type === "started") started.add(id);
    }

    expect(started.size).toBe(64);
    expect([...refused.values()]).toEqual(Array.from({ length: 16 }, () => "LIMIT"));
    socket.close();
  });

  it("that are stopped make room", async () => {
    const socket = await tokenSocket();
    for (let round = 0; round < 100; round++) {
      const id = socket.begin("subscription", "status.watch");
      const started = await socket.next();
      expect([round, started.result?.type]).toEqual([round, "started"]);
      socket.send({ id, method: "subscription.stop" });
      for (let last = started; last.result.type !== "stopped"; ) last = await socket.next();
    }
    socket.close();
  });

  it("to the audit are resumed after the last event's id, as tRPC's clients do it", async () => {
    const socket = await tokenSocket();
    socket.send({ id: 1, method: "subscription", params: { path: "audit.watch", input: {}, lastEventId: "1" } });
    await socket.next();

    const { result } = await socket.next();

    expect(result).toMatchObject({ id: "2", data: { data: { seq: 2 } } });
    socket.close();
  });
});

describe("WebSockets", () => {
  it("of one account are 128, and one that closes makes room", async () => {
    const sockets = await Promise.all(Array.from({ length: 128 }, tokenSocket));

    const refusal = await door.socket(token).refused;
    sockets.pop()!.close();

    expect([refusal.status, JSON.parse(refusal.text).error.code]).toEqual([429, "LIMIT"]);
    await until(async () => {
      const socket = door.socket(token);
      const isOpen = await Promise.race([socket.opened.then(() => true), socket.refused.then(() => false)]);
      socket.close();
      return isOpen;
    }, "there is room again");
    for (const socket of sockets) socket.close();
  });
});

describe("a client that does not read", () => {
  it("gets few states when it reads again, the last of them the latest; the agent's memory does not grow meanwhile", async () => {
    const socket = await tokenSocket();
    const connection = await agent.connect();
    const offers = await Promise.all(
      Array.from({ length: 300 }, () =>
        connection.call("delegations.request", { buffer: "sim0/regs", access: "read-only", purpose: "x".repeat(200) }),
      ),
    );
    // States of 200 kB: the kernel's own buffers take some of them.
    for (let i = 0; i < 8; i++) socket.begin("subscription", "delegations.watch", { limit: 500 });
    for (let i = 0; i < 16; i++) await socket.next();
    socket.socket.pause();
    const before = memoryOf(agent.pid);

    const start = performance.now();
    let last = 0;
    for (let i = 0; i < 1000; i++) {
      const { id } = await connection.call("delegations.request", { buffer: "sim0/ch0", purpose: String(i) });
      await connection.call("delegations.release", { id });
      last = id;
    }
    const took = performance.now() - start;
    const grown = memoryOf(agent.pid) - before;
    socket.socket.resume();
    const counts = new Map<number, number>();
    const latest = new Map<number, number>();
    while (latest.size < 8 || [...latest.values()].some((id) => id !== last)) {
      const { id, result } = await socket.next();
      counts.set(id, (counts.get(id) ?? 0) + 1);
      latest.set(id, result.data.recent[0]?.id);
    }

    console.log(
      `slow reader: 2,000 changes in ${took.toFixed(0)} ms, ${Math.max(...counts.values())} states at most of each of 8 subscriptions afterwards, agent +${(grown / MIB).toFixed(1)} MiB`,
    );
    expect(Math.max(...counts.values())).toBeLessThan(60);
    expect(grown).toBeLessThan(80 * MIB);
    socket.close();
    for (let i = 0; i < offers.length; i += 30)
      await connection.call("delegations.revoke", { ids: offers.slice(i, i + 30).map(({ id }) => id) });
    connection.close();
  });

  it("and asks a thousand calls costs an answer or two, not a thousand", async () => {
    const socket = await tokenSocket();
    socket.socket.pause();
    const before = memoryOf(agent.pid);
    const request = (id: number) => ({
      id,
      method: "query",
      params: { path: "delegations.list", input: { all: true, limit: 500 } },
    });
    for (let i = 0; i < 2500; i++) socket.send(request(i));
    socket.send(Array.from({ length: 500 }, (_, i) => request(2500 + i)));
    for (let i = 0; i < 20; i++) expect((await door.call("status.get", {}, token)).status).toBe(200);
    await until(async () => (await door.call("status.get", {}, token)).status === 200, "others are answered");

    const grown = memoryOf(agent.pid) - before;

    console.log(`3,000 calls unread: agent +${(grown / MIB).toFixed(1)} MiB`);
    expect(grown).toBeLessThan(80 * MIB);
    socket.close();
  });

  it("and is signed out meanwhile holds nobody up", async () => {
    const ending = await door.newToken();
    const socket = door.socket(ending.headers);
    await socket.opened;
    const connection = await agent.connect();
    const offers = await Promise.all(
      Array.from({ length: 200 }, () =>
        connection.call("delegations.request", { buffer: "sim0/regs", access: "read-only", purpose: "x".repeat(200) }),
      ),
    );
    for (let i = 0; i < 64; i++) socket.begin("subscription", "delegations.watch", { limit: 500 });
    socket.socket.pause();
    await new Promise((resolve) => setTimeout(resolve, 500)); // more is sent than the kernel takes

    await door.call("tokens.remove", { id: ending.id }, token);
    for (let i = 0; i < offers.length; i += 20)
      await connection.call("delegations.revoke", { ids: offers.slice(i, i + 20).map(({ id }) => id) });

    expect((await door.call("status.get", {}, token)).status).toBe(200);
    socket.close();
    connection.close();
  });

  it("and pings costs nothing", async () => {
    const socket = await tokenSocket();
    socket.socket.pause();
    const before = memoryOf(agent.pid);
    for (let round = 0; round < 300; round++) {
      for (let i = 0; i < 1000; i++) socket.socket.ping("x".repeat(120));
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until(() => socket.socket.bufferedAmount === 0, "all were taken", 10_000).catch(() => {});
    expect((await door.call("status.get", {}, token)).status).toBe(200);

    expect(memoryOf(agent.pid) - before).toBeLessThan(40 * MIB);
    socket.close();
  });
});

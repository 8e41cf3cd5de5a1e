import { execFileSync } from "node:child_process";
import { chmodSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door, type SignedIn } from "./door-client.ts";
import { AgentProcess, startAgent } from "./harness.ts";
import { Peer } from "./peer.ts";

describe("a login link", () => {
  let agent: AgentProcess;
  let door: Door;

  beforeAll(async () => {
    agent = await startAgent();
    door = new Door(agent);
  });

  afterAll(() => agent.stop());

  it("signs in once: a replay is refused, and the session it made goes on", async () => {
    const secret = await door.newLink();

    const first = await door.login(secret);
    const replay = await door.login(secret);

    expect(first.status).toBe(200);
    expect([replay.status, replay.json.error.code]).toEqual([401, "UNAUTHORIZED"]);
    expect(replay.headers["set-cookie"]).toBeUndefined();
    const cookie = first.headers["set-cookie"]![0]!.split(";")[0]!;
    expect((await door.call("status.get", {}, { cookie, "x-lendbuf-key": first.json.key })).status).toBe(200);
  });

  it("tried by many at once lets one of them in", async () => {
    const secret = await door.newLink();

    const answers = await Promise.all(Array.from({ length: 5 }, () => door.login(secret)));

    expect(answers.map(({ status }) => status).sort()).toEqual([200, 401, 401, 401, 401]);
  });

  it("gives a cookie that scripts cannot read and other sites do not send, and a key that stands in no header", async () => {
    const { headers, json } = await door.login(await door.newLink());
    const [cookie] = headers["set-cookie"]!;

    expect(cookie).toMatch(
      new RegExp(`^lendbuf-${door.port}=[0-9a-f]{12}\\.[\\w-]{43}; HttpOnly; SameSite=Strict; Path=/; Max-Age=\\d+$`),
    );
    expect(Object.keys(json)).toEqual(["key"]);
    expect(JSON.stringify(headers)).not.toContain(json.key);
    expect(headers["cache-control"]).toBe("no-store");
  });

  it("has its secret in the fragment only, and works at the address that the agent listens at", async () => {
    const connection = await agent.connect();

    const { url, expiresAt } = await connection.call("sessions.createLink");

    expect(url).toMatch(new RegExp(`^${door.origin}/#login=[\\w-]{43}$`));
    expect(expiresAt - Date.now()).toBeLessThanOrEqual(600_000);
    connection.close();
  });

  it.each([[""], [1], [null], [["a"]], [{ a: 1 }], ["a".repeat(201)]])(
    "with the secret %j is bad input",
    async (secret) => {
      expect((await door.login(secret)).status).toBe(400);
    },
  );

  it("whose body is too long or no JSON is answered so", async () => {
    const headers = { "content-type": "application/json", "x-lendbuf": "1" };
    for (const body of ["{", "[]", '{"secret":"a","more":1}', `{"secret":"${"a".repeat(5000)}"}`]) {
      const answer = await door.ask({ method: "POST", path: "/login", headers, body });

      expect([answer.status, answer.json.error.code]).toEqual([400, "BAD_INPUT"]);
    }
  });

  it("in a body that is cut off leaves no line in the log", async () => {
    const line = door.line();
    const head = `POST /login HTTP/1.1\r\nhost: 127.0.0.1:${door.port}\r\ncontent-type: application/json\r\nx-lendbuf: 1\r\n`;
    line.socket.write(`${head}content-length: 100\r\n\r\n{"secret":`);
    await door.ask({ path: "/healthz" });

    line.socket.resetAndDestroy();
    await door.ask({ path: "/healthz" });

    expect(agent.output).not.toContain("request failed");
  });

  it("cannot be guessed for long: after ten failures a minute of 429, which wears no link out and disturbs no session", async () => {
    const signedIn = await door.signIn();
    const secret = await door.newLink();

    let refusal = await door.login("a".repeat(43));
    for (let i = 0; i < 20 && refusal.status === 401; i++) refusal = await door.login("a".repeat(43));
    const valid = await door.login(secret);

    for (const answer of [refusal, valid]) {
      expect([answer.status, answer.json.error.code]).toEqual([429, "LIMIT"]);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
      expect(Number(answer.headers["retry-after"])).toBeLessThanOrEqual(60);
    }
    expect((await door.call("status.get", {}, door.page(signedIn))).status).toBe(200);
  });

  it("of ten that an account has not used is the last; others have theirs", async () => {
    const connection = await agent.connect();
    let code = "";
    for (let i = 0; i < 11 && !code; i++)
      await connection.call("sessions.createLink").catch((cause) => {
        code = cause.code;
      });

    expect(code).toBe("LIMIT");
    connection.close();
  });
});

describe("what is kept of a secret", () => {
  it("is its hash: not in the store, the audit, the log or any answer", async () => {
    await using agent = await startAgent({ env: { LENDBUF_LOG: "trace" } });
    const door = new Door(agent);
    const link = await door.newLink();
    const { headers, json } = await door.login(link);
    const cookie = headers["set-cookie"]![0]!.split(";")[0]!;
    const signedIn = { cookie, key: json.key, id: "" };
    const { token } = await door.newToken();
    const wrong = "w".repeat(43);
    const answers = [
      await door.call("sessions.list", {}, door.page(signedIn)),
      await door.call("tokens.list", {}, door.page(signedIn)),
      await door.call("audit.list", {}, { authorization: `Bearer ${token}` }),
      await door.call("nothing.here", {}, { authorization: `Bearer ${token}` }),
      await door.call("buffers.get", { name: 1 }, { authorization: `Bearer ${token}` }),
      await door.call("status.get", {}, { authorization: `Bearer ${token}x` }),
      await door.login(link),
      await door.login(wrong),
    ];

    const secrets = [link, cookie.split(".")[1]!, json.key, token.split("_")[2]!, wrong];
    const files = readdirSync(agent.state, { withFileTypes: true }).filter((entry) => entry.isFile());
    const stored = Buffer.concat(files.map(({ name }) => readFileSync(join(agent.state, name)))).toString("latin1");
    expect(stored).toContain("session.opened");
    for (const secret of secrets) {
      expect(stored).not.toContain(secret);
      expect(agent.output).not.toContain(secret);
      for (const { text, headers } of answers) expect(text + JSON.stringify(headers)).not.toContain(secret);
    }
  });
});

describe("a session or token", () => {
  it("ends at once for all that comes after, and a page's own end signs it out", async () => {
    await using agent = await startAgent();
    const door = new Door(agent);
    const signedIn = await door.signIn();
    const other = await door.signIn();
    const token = await door.newToken();

    await door.call("sessions.end", { id: other.id }, door.page(signedIn));
    await door.call("tokens.remove", { id: token.id }, door.page(signedIn));

    expect((await door.call("status.get", {}, door.page(other))).status).toBe(401);
    expect((await door.call("status.get", {}, token.headers)).status).toBe(401);
    expect((await door.call("status.get", {}, door.page(signedIn))).status).toBe(200);
    expect((await door.call("sessions.end", { id: signedIn.id }, door.page(signedIn))).status).toBe(200);
    expect((await door.call("status.get", {}, door.page(signedIn))).status).toBe(401);
  });

  it("outlives the agent, and its expiry does not wait for anybody", async () => {
    await using world = await twoAccounts();
    const { door, mine, expired, expiredToken } = world;

    expect((await door.call("status.get", {}, door.page(mine))).status).toBe(200);
    expect((await door.call("status.get", {}, door.page(expired))).status).toBe(401);
    expect((await door.call("status.get", {}, { authorization: `Bearer ${expiredToken}` })).status).toBe(401);
    expect((await door.socket({ authorization: `Bearer ${expiredToken}` }).refused).status).toBe(401);
    expect((await door.socket({ cookie: expired.cookie, origin: door.origin }).refused).status).toBe(401);
  });
});

describe("another account, through the browser door", () => {
  let world: Awaited<ReturnType<typeof twoAccounts>>;

  beforeAll(async () => {
    world = await twoAccounts();
  });

  afterAll(() => world[Symbol.asyncDispose]());

  it("is who its session says, and operates nothing", async () => {
    const { door, theirs, theirToken } = world;
    const page = door.page(theirs);
    const script = { authorization: `Bearer ${theirToken}` };
    for (const headers of [page, script]) {
      const { json } = await door.call("sessions.me", {}, headers);
      expect(json.result.data).toMatchObject({ account: "uid:4321", role: "member" });
      for (const [method, input] of [
        ["audit.list", {}],
        ["audit.verify", {}],
        ["delegations.revokeAll", {}],
        ["buffers.remove", { name: "sim0/ch0" }],
        ["buffers.define", { name: "x", device: "sim0", region: 0, ranges: [{ offset: 0, length: 4096 }] }],
        ["delegations.request", { buffer: "sim0/ch0", account: "uid:0" }],
      ] as const) {
        const answer = await door.call(method, input, headers);

        expect([method, answer.status, answer.json.error.data.code]).toEqual([method, 403, "NOT_ALLOWED"]);
      }
    }
  });

  it("sees and ends its own sessions and tokens only", async () => {
    const { door, mine, theirs, myToken } = world;
    const page = door.page(theirs);

    const sessions = (await door.call("sessions.list", {}, page)).json.result.data;
    const tokens = (await door.call("tokens.list", {}, page)).json.result.data;

    expect(sessions.map(({ id }: { id: string }) => id)).toEqual([theirs.id]);
    expect(tokens.map(({ account }: { account: string }) => account)).toEqual(["uid:4321"]);
    expect((await door.call("sessions.end", { id: mine.id }, page)).status).toBe(404);
    expect((await door.call("tokens.remove", { id: myToken.split("_")[1] }, page)).status).toBe(404);
    expect((await door.call("status.get", {}, door.page(mine))).status).toBe(200);
    expect((await door.call("status.get", {}, { authorization: `Bearer ${myToken}` })).status).toBe(200);
  });

  it("sees no delegation, no audit and no memory of others, by calls and by subscriptions", async () => {
    const { door, theirs, agent } = world;
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ch1", purpose: "mine alone" });
    const page = door.page(theirs);
    const socket = await door.pageSocket(theirs);
    const { id } = lease.delegation;

    expect((await door.call("delegations.list", { all: true }, page)).json.result.data.items).toEqual([]);
    expect((await door.call("delegations.get", { id }, page)).status).toBe(403);
    expect((await door.call("delegations.revoke", { ids: [id] }, page)).status).toBe(403);
    expect((await door.call("buffers.read", { name: "sim0/ch1" }, page)).json.error.data.code).toBe("NOT_YOURS");
    expect((await door.call("buffers.get", { name: "sim0/ch1" }, page)).json.result.data).toMatchObject({
      state: "lent",
      current: [],
      occupied: 1,
    });
    socket.begin("subscription", "delegations.watch");
    const states = [await socket.next(), await socket.next()];
    expect(states[1].result.data).toEqual({ items: [], total: 0, recent: [] });
    expect((await socket.ask("subscription", "delegations.follow", { id })).result).toEqual({ type: "started" });
    expect((await socket.next()).error.data.code).toBe("NOT_YOURS");
    expect((await socket.next()).result).toEqual({ type: "stopped" });
    expect((await socket.ask("subscription", "audit.watch", { after: 0 })).error.data.code).toBe("NOT_ALLOWED");
    socket.close();
    connection.close();
  });

  it.runIf(process.getuid!() === 0)("makes links and tokens for itself alone", async () => {
    const { door, agent } = world;
    chmodSync(dirname(agent.socket), 0o755);
    chmodSync(agent.socket, 0o666);
    const peer = new Peer({ uid: 4322 });
    await peer.connect(agent.socket);

    const { result } = await peer.ask("sessions.createLink");
    const login = await door.login(result.url.split("#login=")[1]);
    const cookie = login.headers["set-cookie"]![0]!.split(";")[0]!;
    const me = await door.call("sessions.me", {}, { cookie, "x-lendbuf-key": login.json.key });

    expect(me.json.result.data).toMatchObject({ account: "uid:4322", role: "member" });
    await peer.stop();
  });
});

/** An agent whose store was given sessions and tokens of another account, and some that are too old, while it was away. */
async function twoAccounts() {
  const first = await startAgent();
  const before = new Door(first);
  // A cookie's name has the port, which is another one after the restart.
  const signIns = [await before.signIn(), await before.signIn(), await before.signIn()];
  const tokens = [await before.newToken("mine"), await before.newToken("theirs"), await before.newToken("expired")];
  await first.crash();
  const [, theirSession, expiredSession] = signIns;
  const past = Date.now() - 1;
  // In a process of its own: what opens a database here may keep its lock until it is collected.
  execFileSync("python3", [
    "-c",
    "import sqlite3, sys; database = sqlite3.connect(sys.argv[1]); database.executescript(sys.argv[2]); database.close()",
    join(first.state, "lendbuf.db"),
    `UPDATE sessions SET account = 'uid:4321' WHERE id = '${theirSession!.id}';
     UPDATE sessions SET expires_at = ${past} WHERE id = '${expiredSession!.id}';
     UPDATE tokens SET account = 'uid:4321' WHERE id = '${tokens[1]!.id}';
     UPDATE tokens SET expires_at = ${past} WHERE id = '${tokens[2]!.id}';`,
  ]);
  const options = { state: first.state, socket: first.socket, args: ["--visibility", "own"] };
  const agent = await new AgentProcess(options).ready();
  const door = new Door(agent);
  const moved = signIns.map(
    (signedIn): SignedIn => ({
      ...signedIn,
      cookie: signedIn.cookie.replace(/\d+=/, `${door.port}=`),
    }),
  );
  return {
    agent,
    door,
    mine: moved[0]!,
    theirs: moved[1]!,
    expired: moved[2]!,
    myToken: tokens[0]!.token,
    theirToken: tokens[1]!.token,
    expiredToken: tokens[2]!.token,
    async [Symbol.asyncDispose]() {
      await agent.stop();
      await first.stop(); // removes the folder
    },
  };
}

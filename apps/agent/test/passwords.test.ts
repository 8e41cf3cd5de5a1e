// Passwords, as their owners, their admins and those who guess them see them.
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Answer, Door, type SignedIn } from "./door-client.ts";
import { AgentProcess, memoryOf, startAgent } from "./harness.ts";

const isRoot = process.getuid!() === 0;
const GOOD = "correct horse battery";
const OTHER = "staple of another kind";
const WRONG = "never was anybody's";

let agent: AgentProcess;
let door: Door;
let root: Connection;

async function begin(): Promise<void> {
  agent = await startAgent({ env: { LENDBUF_LOG: "trace" } });
  door = new Door(agent);
  root = await agent.connect();
}

function login(body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return door.ask({
    method: "POST",
    path: "/login",
    headers: { "content-type": "application/json", "x-lendbuf": "1", ...headers },
    body: JSON.stringify(body),
  });
}

function signedIn({ headers, json }: Answer): SignedIn {
  const cookie = headers["set-cookie"]![0]!.split(";")[0]!;
  return { cookie, key: json.key, id: cookie.split("=")[1]!.split(".")[0]! };
}

async function linked(account: string): Promise<SignedIn> {
  const { url } = await root.call("sessions.createLink", { account });
  return door.signInBy(url.split("#login=")[1]!);
}

/** An account whose password is its own choice. */
async function withPassword(name: string, password = GOOD): Promise<SignedIn> {
  await root.call("accounts.create", { name });
  const page = await linked(name);
  const set = await door.call("accounts.setPassword", { password }, door.page(page));
  expect(set.status).toBe(200);
  return page;
}

/** What another user's program is answered. */
async function loginAs(uid: number, bodies: object[]): Promise<{ status: number; retryAfter: string | null }[]> {
  const script = `
    const [port, ...bodies] = process.argv.slice(1);
    const answers = [];
    for (const body of bodies) {
      const headers = { "content-type": "application/json", "x-lendbuf": "1" };
      const { status, headers: got } = await fetch("http://127.0.0.1:" + port + "/login", { method: "POST", headers, body });
      answers.push({ status, retryAfter: got.get("retry-after") });
    }
    console.log(JSON.stringify(answers));`;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "-e", script, String(door.port), ...bodies.map((body) => JSON.stringify(body))],
    { uid, gid: uid, cwd: "/", stdio: ["ignore", "pipe", "inherit"] },
  );
  let text = "";
  for await (const chunk of child.stdout) text += chunk;
  return JSON.parse(text);
}

const codeOf = ({ status, json }: Answer) => [status, json.error?.data?.code ?? json.error?.code];

describe("a password", () => {
  beforeAll(begin);
  afterAll(() => agent?.stop());

  it("signs its account in, under any name that the account has here", async () => {
    await withPassword("alice");

    const answer = await login({ account: "alice", password: GOOD });

    const me = await door.call("sessions.me", {}, door.page(signedIn(answer)));
    expect(me.json.result.data).toMatchObject({ account: "alice", role: "member", hasPassword: true });
  });

  it.each([
    ["a wrong one", "bob", WRONG],
    ["the right one with a blank more", "bob", `${GOOD} `],
    ["another account's", "bob", OTHER],
    ["of an account that has none", "none", GOOD],
    ["of nobody", "nobody.at.all", GOOD],
    ["of a disabled account", "off", GOOD],
    ["of root, by name", "root", GOOD],
  ])("%s is answered like every other that does not fit", async (_what, account, password) => {
    const names = (await root.call("accounts.list")).items.map(({ name }) => name);
    if (!names.includes("bob")) {
      await withPassword("bob");
      await withPassword("other", OTHER);
      await root.call("accounts.create", { name: "none" });
      await withPassword("off");
      await root.call("accounts.update", { name: "off", disabled: true });
    }

    const answer = await login({ account, password });

    expect([answer.status, answer.json]).toEqual([
      401,
      {
        error: {
          code: "UNAUTHORIZED",
          message:
            "This name and this password do not belong together. `lendbuf login` prints a link that needs neither.",
        },
      },
    ]);
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  it("is the same however its letters were typed", async () => {
    await withPassword("zoe", "Zoë's long passphrase");

    expect((await login({ account: "zoe", password: "Zoe\u0308's long passphrase" })).status).toBe(200);
  });

  it.each([
    ["too short", { password: "elevenchars" }],
    ["too long", { password: "x".repeat(257) }],
    ["no text", { password: 12 }],
    ["left out", {}],
  ])("%s is refused when it is set", async (_what, input) => {
    const page = await linked("alice");

    const answer = await door.call("accounts.setPassword", input, door.page(page));

    expect(codeOf(answer)).toEqual([400, "BAD_INPUT"]);
  });

  it("is gone with its account, and not there for the next one of that name", async () => {
    await withPassword("gone");
    await root.call("accounts.remove", { name: "gone" });
    await root.call("accounts.create", { name: "gone" });

    expect((await login({ account: "gone", password: GOOD })).status).toBe(401);
  });
});

describe("who sets a password", () => {
  beforeAll(begin);
  afterAll(() => agent?.stop());

  it("gives the one before; all other sessions and links end, and its own goes on", async () => {
    const page = await withPassword("alice");
    const other = signedIn(await login({ account: "alice", password: GOOD }));
    const { url } = await root.call("sessions.createLink", { account: "alice" });

    const without = await door.call("accounts.setPassword", { password: OTHER }, door.page(page));
    const wrong = await door.call("accounts.setPassword", { password: OTHER, current: WRONG }, door.page(page));
    const untouched = await door.call("sessions.me", {}, door.page(other));
    const changed = await door.call("accounts.setPassword", { password: OTHER, current: GOOD }, door.page(page));

    expect([codeOf(without), codeOf(wrong), untouched.status, changed.status]).toEqual([
      [400, "BAD_INPUT"],
      [403, "NOT_ALLOWED"],
      200,
      200,
    ]);
    expect((await door.call("sessions.me", {}, door.page(other))).status).toBe(401);
    expect((await door.login(url.split("#login=")[1])).status).toBe(401);
    expect((await door.call("sessions.me", {}, door.page(page))).status).toBe(200);
    expect((await login({ account: "alice", password: GOOD })).status).toBe(401);
    expect((await login({ account: "alice", password: OTHER })).status).toBe(200);
  });

  it("and guesses the current one on an open page waits soon, as at the login", async () => {
    const page = await withPassword("carol");
    const guess = () => door.call("accounts.setPassword", { password: OTHER, current: WRONG }, door.page(page));
    for (let i = 0; i < 5; i++) expect(codeOf(await guess())).toEqual([403, "NOT_ALLOWED"]);

    expect(codeOf(await guess())).toEqual([429, "LIMIT"]);
  });

  it("does so through no token", async () => {
    await root.call("accounts.create", { name: "tina" });
    const { token } = await root.call("tokens.create", { account: "tina", name: "t" });

    const answer = await door.call("accounts.setPassword", { password: GOOD }, { authorization: `Bearer ${token}` });

    expect(codeOf(answer)).toEqual([405, "WRONG_DOOR"]);
  });

  it("for somebody else is an admin, and that one chooses another at the first login", async () => {
    await root.call("accounts.create", { name: "dave" });
    const before = await linked("dave");
    await root.call("accounts.setPassword", { account: "dave", password: GOOD });

    const first = await login({ account: "dave", password: GOOD });
    const same = await login({ account: "dave", password: GOOD, newPassword: GOOD });
    const short = await login({ account: "dave", password: GOOD, newPassword: "short" });
    const chosen = await login({ account: "dave", password: GOOD, newPassword: OTHER });

    expect([first, same, short].map(codeOf)).toEqual([
      [403, "NEW_PASSWORD"],
      [403, "NEW_PASSWORD"],
      [400, "BAD_INPUT"],
    ]);
    expect(first.headers["set-cookie"]).toBeUndefined();
    expect(chosen.status).toBe(200);
    expect((await door.call("sessions.me", {}, door.page(before))).status).toBe(401);
    expect((await login({ account: "dave", password: OTHER })).status).toBe(200);
  });

  it("is nobody else: a member does not set another's", async () => {
    const page = await withPassword("erin");

    const answer = await door.call("accounts.setPassword", { account: "dave", password: GOOD }, door.page(page));

    expect(codeOf(answer)).toEqual([403, "NOT_ALLOWED"]);
  });

  it("through a session that has ended meanwhile, does not", async () => {
    const page = await withPassword("fred");
    const changing = door.call("accounts.setPassword", { password: OTHER, current: GOOD }, door.page(page));
    await door.ask({ path: "/healthz" }); // so it was let in, and is being hashed
    await root.call("sessions.end", { id: page.id });
    await changing;

    expect((await login({ account: "fred", password: OTHER })).status).toBe(401);
    expect((await login({ account: "fred", password: GOOD })).status).toBe(200);
  });

  it("takes it away in a terminal without it, on a page only with it", async () => {
    const page = await withPassword("gina");
    const onPage = await door.call("accounts.setPassword", { password: null }, door.page(page));
    await root.call("accounts.setPassword", { account: "gina", password: null });

    expect(codeOf(onPage)).toEqual([400, "BAD_INPUT"]);
    expect((await login({ account: "gina", password: GOOD })).status).toBe(401);
  });
});

describe("a page that was signed in long ago", () => {
  it("sets no first password, for nobody knows who sits there now", async () => {
    const first = await startAgent();
    door = new Door(first);
    root = await first.connect();
    await root.call("accounts.create", { name: "alice" });
    const page = await linked("alice");
    await first.crash();
    inStore(first, `UPDATE sessions SET created_at = created_at - 600001`);
    await using second = await new AgentProcess({ state: first.state, socket: first.socket }).ready();
    door = new Door(second);
    const moved = { ...page, cookie: page.cookie.replace(/\d+=/, `${door.port}=`) };

    const answer = await door.call("accounts.setPassword", { password: GOOD }, door.page(moved));

    expect(codeOf(answer)).toEqual([403, "NOT_ALLOWED"]);
    await first.stop();
  });
});

describe("who guesses", () => {
  beforeEach(begin);
  afterEach(() => agent.stop());

  it("waits ever longer, whether there is such an account or not", async () => {
    await withPassword("alice");
    for (const account of ["alice", "nobody"]) {
      for (let i = 0; i < 5; i++) expect((await login({ account, password: WRONG })).status).toBe(401);

      const answer = await login({ account, password: GOOD });

      expect(codeOf(answer)).toEqual([429, "LIMIT"]);
      expect(Number(answer.headers["retry-after"])).toBeGreaterThan(0);
    }
  });

  it("with many at a time has no more tries than one after the other", async () => {
    await withPassword("alice");

    const answers = await Promise.all(Array.from({ length: 30 }, () => login({ account: "alice", password: WRONG })));

    expect(answers.filter(({ status }) => status === 401).length).toBeLessThanOrEqual(5);
    expect(answers.every(({ status }) => [401, 429, 503].includes(status))).toBe(true);
  });

  it("at ever other accounts waits too", async () => {
    let refused: Answer | undefined;
    for (let i = 0; i < 30 && refused?.status !== 429; i++)
      refused = await login({ account: `user${i}`, password: WRONG });

    expect(refused!.status).toBe(429);
  });

  it.skipIf(!isRoot)(
    `locks out nobody but itself: other users of the host sign in meanwhile${isRoot ? "" : " (skipped: run as root)"}`,
    async () => {
      await withPassword("alice");
      const wrong = Array.from({ length: 12 }, () => ({ account: "alice", password: WRONG }));

      const attack = await loginAs(4321, wrong);
      const here = await login({ account: "alice", password: GOOD });
      const owner = await loginAs(1001, [{ account: "alice", password: GOOD }]);
      const link = await door.login(await door.newLink());

      expect(attack.map(({ status }) => status)).toContain(429);
      expect([here.status, owner[0]!.status, link.status]).toEqual([200, 200, 200]);
    },
  );

  it.skipIf(!isRoot)(`fails no links for others either${isRoot ? "" : " (skipped: run as root)"}`, async () => {
    const attack = await loginAs(4321, Array(11).fill({ secret: "w".repeat(43) }));

    expect(attack.at(-1)!.status).toBe(429);
    expect((await door.login(await door.newLink())).status).toBe(200);
  });

  it("in a flood takes one hash's memory, and the agent goes on answering", async () => {
    await withPassword("alice");
    const before = memoryOf(agent.pid);
    let most = 0;
    const watch = setInterval(() => (most = Math.max(most, memoryOf(agent.pid))), 2);
    const flood = Promise.all(Array.from({ length: 60 }, (_, i) => login({ account: `user${i}`, password: WRONG })));

    expect((await door.ask({ path: "/healthz" })).status).toBe(200);
    await flood;
    clearInterval(watch);

    // Each that runs has 64 MiB; sixty connections take some too.
    expect((most - before) / 2 ** 20).toBeLessThan(160);
  });
});

describe("what is kept of a password", () => {
  it("is an argon2id hash in its own table: nothing in the audit, the log or an answer", async () => {
    await begin();
    const page = await withPassword("alice");
    const answers = [
      await login({ account: GOOD, password: WRONG }), // people type it into the wrong field
      await login({ account: "alice", password: WRONG }),
      await door.call("accounts.setPassword", { password: OTHER, current: WRONG }, door.page(page)),
      await door.call("accounts.setPassword", { password: OTHER, current: GOOD }, door.page(page)),
      await door.call("accounts.setPassword", { password: OTHER, more: WRONG }, door.page(page)),
    ];
    const audit = JSON.stringify((await root.call("audit.list", {})).items);
    const hashes = [...stored().matchAll(/\$argon2id\$v=19\$m=65536,t=3,p=4\$[\w+/]+\$[\w+/]+/g)];
    await agent.stop();

    expect(audit).toContain("password.set");
    expect(hashes.length).toBeGreaterThan(0);
    for (const secret of [GOOD, OTHER, WRONG])
      for (const text of [audit, agent.output, ...answers.map((answer) => answer.text)])
        expect(text).not.toContain(secret);
    expect(audit + agent.output).not.toContain("argon2");
  });

  it("is hashed anew at a login, where it was hashed for less than is asked for today", async () => {
    const first = await startAgent();
    agent = first;
    door = new Door(first);
    root = await first.connect();
    await withPassword("alice");
    await first.crash();
    const argon2 = createRequire(import.meta.url)("@node-rs/argon2");
    const cheap = argon2.hashSync(GOOD, { memoryCost: 8192, timeCost: 1, parallelism: 1 });
    inStore(first, `UPDATE passwords SET hash = '${cheap}'`);
    await using second = await new AgentProcess({ state: first.state, socket: first.socket }).ready();
    door = new Door(second);

    const [wrong, right] = [
      await login({ account: "alice", password: WRONG }),
      await login({ account: "alice", password: GOOD }),
    ];
    const again = await login({ account: "alice", password: GOOD });
    await second.crash();

    expect([wrong.status, right.status, again.status]).toEqual([401, 200, 200]);
    expect(inStore(first, "SELECT hash FROM passwords")).toMatch(/^\$argon2id\$v=19\$m=65536,t=3,p=4\$/);
    await first.stop();
  });
});

function stored(): string {
  const files = readdirSync(agent.state, { withFileTypes: true }).filter((entry) => entry.isFile());
  return Buffer.concat(files.map(({ name }) => readFileSync(join(agent.state, name)))).toString("latin1");
}

/** As an earlier agent left it; its first value. */
function inStore({ state }: AgentProcess, sql: string): string {
  const script = `const Database = require(process.argv[1]); const database = new Database(process.argv[2]);
    if (process.argv[3].startsWith("SELECT")) console.log(Object.values(database.prepare(process.argv[3]).get())[0]);
    else database.exec(process.argv[3]);
    database.close();`;
  const libsql = createRequire(import.meta.url).resolve("libsql");
  return execFileSync(process.execPath, ["-e", script, libsql, join(state, "lendbuf.db"), sql], { encoding: "utf8" });
}

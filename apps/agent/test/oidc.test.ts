// Signing in by an identity provider, with a real one and with all that may be wrong about its answer.
import { chmodSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Answer, Door } from "./door-client.ts";
import { type AgentProcess, runAgent, startAgent, temporaryFolder } from "./harness.ts";
import { IdentityProvider, type Spoiled, signInAtProvider } from "./identity-provider.ts";

let folder: string;
let provider: IdentityProvider;
let agent: AgentProcess;
let door: Door;
let root: Connection;

beforeAll(async () => {
  folder = temporaryFolder();
  provider = await IdentityProvider.start();
  const create = ["--oidc-create", "lab=member,lab-lead=operator"];
  agent = await startAgent({ args: [...provider.optionsOf(folder), ...create], env: { LENDBUF_LOG: "trace" } });
  door = new Door(agent);
  root = await agent.connect();
  await provider.register(agent.url);
  for (const name of ["alice", "bob"]) await root.call("accounts.create", { name });
}, 60_000);

afterEach(() => provider.tell({ spoiled: null, people: {} }));

afterAll(async () => {
  await agent?.stop();
  await provider?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

/** What the page does: says that it goes, and keeps its part. */
async function leave(): Promise<{ url: string; page: string }> {
  const answer = await post("/login/oidc", {});
  expect(answer.status).toBe(200);
  return answer.json;
}

function post(path: string, body: object, headers: Record<string, string> = {}): Promise<Answer> {
  return door.ask({
    method: "POST",
    path,
    headers: { "content-type": "application/json", "x-lendbuf": "1", ...headers },
    body: JSON.stringify(body),
  });
}

/** As a browser that another site sends here. */
function arrive(back: string): Promise<Answer> {
  const { pathname, search } = new URL(back);
  return door.ask({
    path: pathname + search,
    headers: { "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
  });
}

function secretIn({ headers }: Answer): string {
  return /^\/#login=([\w-]{43})$/.exec(headers.location ?? "")![1]!;
}

/** From the button to the session, or to what the page is told instead. */
async function signIn(login: string): Promise<Answer> {
  const { url, page } = await leave();
  const arrived = await arrive(await signInAtProvider(url, login));
  expect(arrived.status).toBe(303);
  return post("/login", { secret: secretIn(arrived), page });
}

const messageOf = ({ status, json }: Answer) => [status, json.error?.message];

describe("signing in by an identity provider", () => {
  it("makes a session of the account of that name", async () => {
    const { status, headers, json } = await signIn("alice");

    expect(status).toBe(200);
    const cookie = headers["set-cookie"]![0]!;
    expect(cookie).toContain("; HttpOnly; SameSite=Strict; Path=/");
    const me = await door.call("sessions.me", {}, { cookie: cookie.split(";")[0]!, "x-lendbuf-key": json.key });
    expect(me.json.result.data).toMatchObject({ account: "alice", role: "member" });
    const { items } = await root.call("audit.list");
    const opened = items.filter(({ action }) => action === "session.opened");
    expect(opened).toMatchObject([{ actor: expect.stringMatching(/^alice session:/), detail: { by: "oidc" } }]);
  });

  it("asks with a code challenge, a state and a nonce, and for our own address", async () => {
    const [one, other] = [new URL((await leave()).url), new URL((await leave()).url)];

    expect(Object.fromEntries(one.searchParams)).toMatchObject({
      response_type: "code",
      client_id: "lendbuf",
      redirect_uri: `${agent.url}/login/oidc/callback`,
      code_challenge_method: "S256",
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      state: expect.stringMatching(/^[\w-]{43}$/),
      nonce: expect.stringMatching(/^[\w-]{43}$/),
    });
    for (const name of ["state", "nonce", "code_challenge"])
      expect(one.searchParams.get(name)).not.toBe(other.searchParams.get(name));
  });

  it("is offered to the page, by the provider's name", async () => {
    const { json } = await door.ask({ path: "/login" });

    expect(json).toEqual({ oidc: { name: new URL(provider.issuer).host } });
  });

  it("works once: the same answer again, and the same secret again, are refused", async () => {
    const { url, page } = await leave();
    const back = await signInAtProvider(url, "alice");
    const arrived = await arrive(back);
    const secret = secretIn(arrived);

    const again = await arrive(back);
    const [first, replay] = [await post("/login", { secret, page }), await post("/login", { secret, page })];

    expect([again.status, first.status, replay.status]).toEqual([400, 200, 401]);
  });

  it("works for the page alone that began it: who is sent somebody else's answer is not signed in as them", async () => {
    const mallory = await leave();
    const back = await signInAtProvider(mallory.url, "alice");
    const victim = await leave();
    const secret = secretIn(await arrive(back));

    const stolen = await post("/login", { secret, page: victim.page });
    const without = await post("/login", { secret });
    const own = await post("/login", { secret, page: mallory.page });

    expect([stolen.status, without.status, own.status]).toEqual([401, 401, 200]);
  });

  it.each([
    ["a state that nobody has", (url: URL) => url.searchParams.set("state", "s".repeat(43))],
    ["no state", (url: URL) => url.searchParams.delete("state")],
  ])("is not done with %s", async (_what, change) => {
    const back = new URL(await signInAtProvider((await leave()).url, "alice"));
    change(back);

    const answer = await arrive(back.href);

    expect([answer.status, answer.headers.location]).toEqual([400, undefined]);
  });

  it("is not done with a code that belongs to another state", async () => {
    const one = await leave();
    const other = await leave();
    const back = new URL(await signInAtProvider(one.url, "alice"));
    back.searchParams.set("state", new URL(other.url).searchParams.get("state")!);

    const answer = await post("/login", { secret: secretIn(await arrive(back.href)), page: other.page });

    expect(messageOf(answer)).toEqual([403, expect.stringContaining("did not confirm who you are (invalid_grant)")]);
  });

  it.each<[string, Spoiled]>([
    ["another nonce", { claims: { nonce: "n".repeat(43) } }],
    ["no nonce", { claims: { nonce: null } }],
    ["a foreign issuer", { claims: { iss: "https://elsewhere.example" } }],
    ["another audience", { claims: { aud: "another" } }],
    ["an end an hour ago", { ago: 3660 + 3600 }],
    ["a signature by a key that is not the provider's", { forged: true }],
  ])("is not done by an ID token with %s", async (_what, spoiled) => {
    await provider.tell({ spoiled });

    const answer = await signIn("alice");

    expect(messageOf(answer)).toEqual([403, expect.stringContaining("did not confirm who you are")]);
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  it("is done where the clocks differ by a little", async () => {
    await provider.tell({ spoiled: { claims: { iat: Math.floor(Date.now() / 1000) + 20 } } });

    expect((await signIn("alice")).status).toBe(200);
  });

  it("says so where the person refused, or the provider", async () => {
    const { url, page } = await leave();
    const state = new URL(url).searchParams.get("state")!;
    const back = `${agent.url}/login/oidc/callback?error=access_denied&state=${state}&iss=${encodeURIComponent(provider.issuer)}`;

    const answer = await post("/login", { secret: secretIn(await arrive(back)), page });

    expect(messageOf(answer)).toEqual([403, expect.stringContaining("(access_denied)")]);
  });

  it("leaves no code, token or secret in the log", async () => {
    const { url, page } = await leave();
    const back = await signInAtProvider(url, "alice");
    const secret = secretIn(await arrive(back));
    await post("/login", { secret, page });

    for (const text of [new URL(back).searchParams.get("code")!, secret, page, "what the provider gave"])
      expect(agent.output).not.toContain(text);
  });

  it("is begun ten times at most by one who does not come back", async () => {
    await using second = await startAgent({ args: provider.optionsOf(folder) });
    const there = new Door(second);
    const headers = { "content-type": "application/json", "x-lendbuf": "1" };
    const begin = () => there.ask({ method: "POST", path: "/login/oidc", headers, body: "{}" });
    const statuses: number[] = [];
    for (let i = 0; i < 11; i++) statuses.push((await begin()).status);

    expect(statuses).toEqual([...Array(10).fill(200), 503]);
  });

  it.each([
    ["another site's page", { origin: "http://evil.example" }, 403],
    ["a form", { "content-type": "application/x-www-form-urlencoded" }, 415],
    ["no header of ours", { "x-lendbuf": "0" }, 415],
  ])("is not begun by %s", async (_what, headers, status) => {
    expect((await post("/login/oidc", {}, headers)).status).toBe(status);
  });
});

describe("whom the provider knows", () => {
  it.each([
    ["nobody here", "carol", {}, /^There is no account "carol" here\. Ask an admin/],
    ["a disabled account", "off", {}, /^Account off is disabled/],
    ["a service", "nightly", {}, /^Account nightly is a service's/],
    ["a uid", "dan", { preferred_username: "uid:0" }, /gives no "preferred_username" that could be an account/],
    ["a name in capitals", "dan", { preferred_username: "Alice" }, /gives no "preferred_username"/],
    ["a list of names", "dan", { preferred_username: ["alice"] }, /gives no "preferred_username"/],
    [
      "a user of the host, in a group",
      "dan",
      { preferred_username: "daemon", groups: ["lab"] },
      /user of the agent's host/,
    ],
    ["a group without a role", "eve", { groups: ["others"] }, /^There is no account "eve"/],
    ["groups that are no list", "eve", { groups: { lab: true } }, /^There is no account "eve"/],
  ])("as %s is not let in", async (_what, login, claims, words) => {
    const names = (await root.call("accounts.list")).items.map(({ name }) => name);
    if (!names.includes("off")) {
      await root.call("accounts.create", { name: "off" });
      await root.call("accounts.update", { name: "off", disabled: true });
      await root.call("accounts.create", { name: "nightly", kind: "service" });
    }
    await provider.tell({ people: { [login]: claims } });

    const answer = await signIn(login);

    expect(messageOf(answer)).toEqual([403, expect.stringMatching(words)]);
    expect(answer.headers["set-cookie"]).toBeUndefined();
  });

  it("in a group that has a role gets an account with the greatest of them, and keeps what an admin makes of it", async () => {
    await provider.tell({ people: { grace: { groups: ["lab", "lab-lead", "choir"] } } });

    const first = await signIn("grace");
    const made = (await root.call("accounts.list")).items.find(({ name }) => name === "grace");
    await root.call("accounts.update", { name: "grace", role: "viewer" });
    const second = await signIn("grace");

    expect([first.status, second.status]).toEqual([200, 200]);
    expect(made).toMatchObject({ role: "operator", kind: "person", uids: [] });
    expect((await root.call("accounts.list")).items.find(({ name }) => name === "grace")!.role).toBe("viewer");
  });

  it("and is disabled between the provider and us, is not let in", async () => {
    const { url, page } = await leave();
    const secret = secretIn(await arrive(await signInAtProvider(url, "bob")));
    await root.call("accounts.update", { name: "bob", disabled: true });

    expect((await post("/login", { secret, page })).status).toBe(401);
  });
});

describe("an agent whose provider is down", () => {
  it("starts, says so, and goes on by itself", async () => {
    const other = await IdentityProvider.start();
    const options = other.optionsOf(folder);
    await other[Symbol.asyncDispose]();
    await using second = await startAgent({ args: options });
    const there = new Door(second);
    const headers = { "content-type": "application/json", "x-lendbuf": "1" };

    const answer = await there.ask({ method: "POST", path: "/login/oidc", headers, body: "{}" });

    expect([answer.status, answer.json.error.code]).toEqual([503, "NOT_READY"]);
    expect((await there.ask({ path: "/healthz" })).status).toBe(200);
  });
});

describe("options that cannot be", () => {
  it.each([
    [
      "a provider elsewhere without TLS",
      ["--oidc-issuer", "http://sso.example", "--oidc-client-id", "a"],
      /takes https/,
    ],
    ["no address", ["--oidc-issuer", "sso", "--oidc-client-id", "a"], /it takes the provider's address/],
    ["no client id", ["--oidc-issuer", "https://sso.example"], /needs --oidc-client-id/],
    ["no provider", ["--oidc-client-id", "a"], /--oidc-client-id is of use only with --oidc-issuer/],
    [
      "a scope without openid",
      ["--oidc-issuer", "https://a.b", "--oidc-client-id", "a", "--oidc-scope", "x"],
      /needs openid/,
    ],
    ["a role that is none", ["--oidc-create", "lab=boss"], /takes a group of the provider and a role/],
  ])("%s", async (_what, args, words) => {
    const { code, stderr } = await runAgent(args);

    expect(stderr).toMatch(words);
    expect(code).toBe(2);
  });

  it.each([
    ["a secret that everybody may read", 0o644, "secret\n", /every user of this host may read/],
    ["an empty secret", 0o600, "\n", /has no secret in its first line/],
  ])("%s", async (_what, mode, text, words) => {
    const file = join(folder, "bad-secret");
    writeFileSync(file, text);
    chmodSync(file, mode);
    const issuer = ["--oidc-issuer", "https://a.b", "--oidc-client-id", "a"];

    const { code, stderr } = await runAgent([...issuer, "--oidc-client-secret-file", file]);

    expect(stderr).toMatch(words);
    expect(code).toBe(2);
  });
});

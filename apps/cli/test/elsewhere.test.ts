import { once } from "node:events";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { INPUTS, type Method } from "@lendbuf/shared/api";
import type { AuditEntry } from "@lendbuf/shared/audit";
import type { Delegation } from "@lendbuf/shared/delegation";
import { mayCall } from "@lendbuf/shared/permissions";
import type { Token } from "@lendbuf/shared/session";
import type { Status } from "@lendbuf/shared/status";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type Ended, type Running, run, start, TestAgent } from "./lendbuf.ts";

let agent: TestAgent;
let url: string;
let folder: string;
let tokenFile: string;

beforeAll(async () => {
  agent = await TestAgent.start();
  url = (await agent.json<Status>("status")).url!;
  folder = mkdtempSync(join(tmpdir(), "lendbuf-elsewhere-"));
  tokenFile = join(folder, "token");
  const { token } = await agent.json<Token & { token: string }>("token", "create", "test", "--scope", "operate");
  writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
});
afterEach(() => agent.clear());
afterAll(async () => {
  rmSync(folder, { recursive: true });
  await agent[Symbol.asyncDispose]();
});

const NO_SOCKET = { env: { LENDBUF_SOCKET: "/nonexistent/agent.sock" } };
const where = (at = url, file = tokenFile) => ["--agent", at, "--token-file", file];
const elsewhere = (...args: string[]): Promise<Ended> => run([...where(), ...args], NO_SOCKET);
const follow = (...args: string[]): Running => start([...where(), ...args], NO_SOCKET);

describe("an agent elsewhere, over HTTP", () => {
  it("answers as it does through its socket", async () => {
    const { stdout, stderr, code } = await elsewhere("buffers", "--json");

    expect(JSON.parse(stdout)).toEqual(await agent.json("buffers"));
    expect([stderr, code]).toEqual(["", 0]);
  });

  it("delegates, extends the account's own, revokes: what is done there is seen here", async () => {
    const { id } = JSON.parse((await elsewhere("delegate", "sim0/ch0", "--purpose", "from afar", "--json")).stdout);
    const [here] = (await agent.json<{ items: Delegation[] }>("delegations")).items;
    const revoked = await elsewhere("revoke", String(id));

    expect(here).toMatchObject({ id, purpose: "from afar", state: "offered" });
    expect(revoked).toMatchObject({ code: 0, stdout: expect.stringContaining("cancelled") });
  });

  it("tells what goes on, state by state, until Ctrl-C", async () => {
    const following = follow("watch", "--json");
    await following.sees(/"total":0/);

    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    await following.sees(new RegExp(`"id":${id},`));
    following.child.kill("SIGINT");

    expect(await following.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("ends what is followed with the delegation", async () => {
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    const following = follow("delegations", "follow", String(id));
    await following.sees(/offered/);

    await agent.run("release", String(id));

    expect(await following.ended).toMatchObject({ code: 0, stdout: expect.stringContaining("cancelled  withdrawn") });
  });

  it("audit --follow has each entry", async () => {
    const following = follow("audit", "-n", "1", "--follow", "--json");
    await following.sees(/"seq"/);

    await agent.run("release", String((await agent.json<Delegation>("delegate", "sim0/ch0")).id));
    await following.sees(/"delegation.cancelled"/);
    following.child.kill("SIGINT");

    const seqs = (await following.ended).stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as AuditEntry).seq);
    expect(seqs).toEqual(seqs.map((_, i) => seqs[0]! + i));
  });

  it("is completed from, too", { retry: 3 }, async () => {
    const { stdout } = await run(["complete", "--", ...where(), "undefine", "sim0/re"], NO_SOCKET);

    expect(stdout).toMatch(/^sim0\/regs\t/);
  });

  it("has every method but those that hand over memory or make a way in: none is taken for a wrong kind", {
    timeout: 180_000,
  }, async () => {
    const methods = (Object.keys(INPUTS) as Method[]).filter(
      (method) => !/claim|borrow|watch|follow/.test(method) && mayCall("operator", method), // no token is an admin's
    );

    for (const method of methods) {
      const { stderr } = await elsewhere("call", method, '{"no-such-field":1}');
      expect([method, stderr]).toEqual([method, expect.stringMatching(/^lendbuf: Bad input: .*no-such-field/)]);
    }
  });
});

describe("what cannot be, is said", () => {
  it.each([
    ["exec takes memory", ["exec", "sim0/ch0", "--", "echo", "ran"], /Run it there, without --agent/, 3],
    ["claim takes memory", ["claim", "1"], /Run it there, without --agent/, 3],
    ["a login link is made on the agent's host", ["login"], /made by a program on the agent's host/, 3],
    ["a token makes no other", ["token", "create", "x"], /A token cannot make another/, 3],
    ["a delegation that is not there", ["delegations", "get", "9999999"], /^lendbuf: /, 4],
    ["a buffer that is taken", ["delegate", "sim0/ch1"], /is offered to somebody/, 5],
    ["binding is for this host", ["device", "bind", "0000:01:00.0"], /without --agent/, 2],
    ["a socket and a URL", ["--socket", "/x", "status"], /leave one out/, 2],
  ])("%s", async (_name, args, said, code) => {
    await agent.run("delegate", "sim0/ch1");

    const refused = await elsewhere(...args);

    expect(refused.stderr).toMatch(said);
    expect(refused).toMatchObject({ code, stdout: "" });
  });

  it.each([["status"], ["watch"]])("a token that is none any more: %s", async (command) => {
    const old = join(folder, "old");
    writeFileSync(old, `lendbuf_${"x".repeat(43)}\n`, { mode: 0o600 });

    const refused = await run([...where(url, old), command], NO_SOCKET);

    expect(refused.stderr).toMatch(/^lendbuf: .*token/i);
    expect(refused).toMatchObject({ code: 3, stdout: "" });
  });

  it("a token that ends meanwhile ends what goes on", async () => {
    const { id, token } = await agent.json<Token & { token: string }>("token", "create", "short");
    const file = join(folder, "short");
    writeFileSync(file, token, { mode: 0o600 });
    const following = start([...where(url, file), "status", "--follow", "--json"], NO_SOCKET);
    await following.sees(/"version"/);

    await agent.run("token", "remove", id);

    expect(await following.ended).toMatchObject({ code: 3, stderr: expect.stringContaining("has ended") });
  });

  it.each([["status"], ["watch"]])("nobody answers there: %s", async (command) => {
    const nobody = createServer().listen(0, "127.0.0.1");
    await once(nobody, "listening");
    const at = `http://127.0.0.1:${(nobody.address() as AddressInfo).port}`;
    nobody.close();

    const refused = await run([...where(at), command], NO_SOCKET);

    expect(refused.stderr).toContain(`lendbuf: No agent answers at ${at} (ECONNREFUSED)`);
    expect(refused.code).toBe(69);
  });

  it("another program answers there, and is not sent on to with the token", async () => {
    const asked: string[] = [];
    const stranger = createServer((request, response) => {
      asked.push(request.url!);
      if (asked.length === 1) response.end("<html>hello</html>");
      else response.writeHead(302, { location: "/elsewhere" }).end();
    }).listen(0, "127.0.0.1");
    await once(stranger, "listening");
    const at = `http://127.0.0.1:${(stranger.address() as AddressInfo).port}`;

    const page = await run([...where(at), "status"], NO_SOCKET);
    const redirect = await run([...where(at), "status"], NO_SOCKET);
    stranger.close();

    expect(page).toMatchObject({ code: 69, stderr: expect.stringContaining("is no agent of ours") });
    expect(redirect.code).toBe(69);
    expect(asked).toHaveLength(2);
  });

  it("a URL without a token, a token file that is not there or empty, one that others can read", async () => {
    const empty = join(folder, "empty");
    writeFileSync(empty, "\n");
    const without = await run(["--agent", url, "status"], NO_SOCKET);
    const missing = await run([...where(url, join(folder, "none")), "status"], NO_SOCKET);
    const blank = await run([...where(url, empty), "status"], NO_SOCKET);
    const notUrl = await run([...where("lab:7117"), "status"], NO_SOCKET);
    chmodSync(tokenFile, 0o644);
    const open = await elsewhere("whoami");
    chmodSync(tokenFile, 0o600);

    expect([without.code, missing.code, blank.code, notUrl.code, open.code]).toEqual([2, 2, 2, 2, 0]);
    expect(without.stderr).toContain("go together");
    expect(missing.stderr).toContain("ENOENT");
    expect(blank.stderr).toContain("has no token");
    expect(open.stderr).toContain("chmod 600");
  });
});

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { run, TestAgent } from "./lendbuf.ts";

let folder: string;
let file: string;
let agent: TestAgent;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-policy-"));
  file = join(folder, "agent.toml");
  writeFileSync(file, '[accounts.carol]\n[[rules]]\nname = "first"\nbuffers = ["sim0/ch*"]\nmax-lease = "2h"\n');
  agent = await TestAgent.start("--config", file);
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe("lendbuf policy", () => {
  it("makes rules, lists and explains them, and removes them", async () => {
    const made = await agent.run(
      ...["policy", "define", "second", "--who", "role:member", "--buffers", "sim0/*", "--may-extend", "no"],
      ...["--max-at-once", "2", "--may-revoke", "group:lab"],
    );
    const list = await agent.run("policy", "list");
    const explained = await agent.run("policy", "explain", "carol", "sim0/ch0");
    const removed = await agent.run("policy", "remove", "second");

    expect(made.stdout).toMatch(/^Rule second counts from now on/);
    expect(list.stdout.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/^NAME +FROM +WHO +BUFFERS +SAYS$/),
      expect.stringMatching(/^first +config +\* +sim0\/ch\* +max-lease 2h$/),
      expect.stringMatching(
        /^second +store +role:member +sim0\/\* +may-extend no, max-at-once 2, may-revoke group:lab$/,
      ),
    ]);
    expect(explained.stdout).toMatch(/^What carol \(member\) may do with sim0\/ch0:\n/);
    expect(explained.stdout).toMatch(/^allow +yes +none$/m);
    expect(explained.stdout).toMatch(/^may-extend +no +second$/m);
    expect(explained.stdout).toMatch(/^max-lease +2h +first$/m);
    expect(explained.stdout).toMatch(/^max-at-once +2 +0 +second$/m);
    expect([made.code, list.code, explained.code, removed.code]).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ["delegate sim0/ch0 --for 3h", /Rule "first" gives uid:\d+ sim0\/ch0 for 2h at most/, 7],
    ["policy remove first", /Rule first stands in the agent's configuration file/, 3],
    ["policy remove none", /There is no rule none/, 4],
    ["account set carol --role admin", /Account carol stands in the agent's configuration file/, 3],
  ])("--dry-run of %s says what is in the way, as the agent does", async (line, words, code) => {
    const planned = await agent.run(...line.split(" "), "--dry-run");
    const tried = await agent.run(...line.split(" "));

    expect(planned.stdout).toMatch(words);
    expect([planned.code, tried.code]).toEqual([code, code]);
  });

  it("--dry-run of extend knows the rules, too", async () => {
    await agent.json("call", "policy.define", '{"name":"fixed","buffers":["sim0/ddr"],"mayExtend":false}');
    const { id } = await agent.json<{ id: number }>("delegate", "sim0/ddr");
    const holder = agent.start("claim", String(id), "--", "sleep", "60");
    try {
      const follow = agent.start("delegations", "follow", String(id));
      await follow.sees(/active/);
      follow.child.kill("SIGINT");

      const { stdout, code } = await agent.run("extend", String(id), "10m", "--dry-run");

      expect(stdout).toMatch(/Rule "fixed" does not let uid:\d+ extend a lease of sim0\/ddr/);
      expect(code).toBe(3);
    } finally {
      holder.child.kill("SIGTERM");
      await holder.ended;
    }
  });
});

describe("lendbuf config", () => {
  it("check says each thing that is wrong, without an agent", async () => {
    const bad = join(folder, "bad.toml");
    writeFileSync(bad, 'prot = 1\n[[rules]]\nname = "x"\nallow = 3\n');

    const words = await run(["config", "check", bad], { env: { LENDBUF_SOCKET: "/nonexistent" } });
    const json = await run(["config", "check", "--json"], { env: { LENDBUF_CONFIG: bad } });
    const good = await run(["config", "check", file]);
    const none = await run(["config", "check", join(folder, "none.toml")]);

    const typo = join(folder, "typo.toml");
    writeFileSync(typo, `[accounts.me]\nuids = [${process.getuid!() || 1}]\ngroups = ["nosuch"]\n`);
    const noted = await run(["config", "check", typo]);

    expect(noted.stderr).toMatch(/^note: account "me" names the group "nosuch", which this host does not have/);
    expect(noted.code).toBe(0);
    expect(words.stderr.trimEnd().split("\n")).toEqual([
      expect.stringContaining(`${bad}:1: "prot" is no key`),
      expect.stringContaining(`${bad}:4: rule "x": allow takes true or false`),
    ]);
    expect(JSON.parse(json.stdout)).toMatchObject({ file: bad, problems: [expect.anything(), expect.anything()] });
    expect(good.stdout).toBe(`${file} is valid: 1 account, 1 rule.\n`);
    expect(none.stderr).toContain("there is no such file");
    expect([words.code, json.code, good.code, none.code]).toEqual([2, 2, 0, 2]);
  });

  it("reload says what changed, and --dry-run what would", async () => {
    const original = '[accounts.carol]\n[[rules]]\nname = "first"\nbuffers = ["sim0/ch*"]\nmax-lease = "2h"\n';
    writeFileSync(file, `max-lease = "1d"\nsystem-memory = "1MiB"\n${original}`);
    const planned = await agent.run("config", "reload", "--dry-run");
    const done = await agent.run("config", "reload");
    writeFileSync(file, "max-lease = 1x\n");
    const refused = await agent.run("config", "reload");
    writeFileSync(file, original);

    expect(planned.stdout).toBe(
      "Would read the configuration anew: changed max-lease; from the next start on system-memory. Nothing was changed.\n",
    );
    expect(done.stdout).toBe(`Read ${file}: changed max-lease; from the next start on system-memory.\n`);
    expect(refused.stderr).toMatch(/^lendbuf: Nothing was changed: .*agent\.toml:1: /);
    expect([planned.code, done.code, refused.code]).toEqual([0, 0, 2]);
  });
});

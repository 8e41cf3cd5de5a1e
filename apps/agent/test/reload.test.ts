// The configuration file, and what a running agent makes of another one.
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Door } from "./door-client.ts";
import { type AgentProcess, runAgent, startAgent, temporaryFolder, until } from "./harness.ts";

let folder: string;
let file: string;
let agent: AgentProcess;
let root: Connection;

beforeEach(async () => {
  folder = temporaryFolder();
  file = join(folder, "agent.toml");
});

afterEach(async () => {
  await agent?.stop();
  rmSync(folder, { recursive: true });
});

async function start(text: string): Promise<void> {
  writeFileSync(file, text);
  agent = await startAgent({ args: ["--config", file] });
  root = await agent.connect();
}

async function refusalOf(work: Promise<unknown>): Promise<{ code: string; message: string }> {
  const refused = await work.then(
    () => null,
    (error) => error,
  );
  return { code: refused?.code, message: refused?.message };
}

const lastEntry = async () => (await root.call("audit.list", { limit: 1 })).items[0];

describe("an agent with a configuration file", () => {
  it("lends by it", async () => {
    await start(
      'max-lease = "1h"\n[accounts.carol]\nrole = "viewer"\n[[rules]]\nname = "closed"\nbuffers = "sim0/ch0"\nallow = false\n',
    );

    expect((await root.call("status.get")).limits.maxLeaseMs).toBe(3_600_000);
    expect((await root.call("accounts.list")).items).toMatchObject([
      { name: "carol", role: "viewer", source: "config" },
    ]);
    expect((await root.call("policy.list")).items).toMatchObject([{ name: "closed", source: "config" }]);
    expect(await refusalOf(root.call("delegations.request", { buffer: "sim0/ch0" }))).toMatchObject({
      code: "NOT_ALLOWED",
    });
  });

  it("keeps its accounts and rules from being changed by anybody else", async () => {
    await start('[accounts.carol]\n[[rules]]\nname = "closed"\nallow = true\n');

    for (const [method, input] of [
      ["accounts.update", { name: "carol", role: "admin" }],
      ["accounts.remove", { name: "carol" }],
      ["policy.define", { name: "closed" }],
      ["policy.remove", { name: "closed" }],
    ] as const)
      expect(await refusalOf(root.call(method, input as never)), method).toEqual({
        code: "NOT_ALLOWED",
        message: expect.stringMatching(
          /stands in the agent's configuration file\. Change it there, then `lendbuf config reload`/,
        ),
      });
    expect(await refusalOf(root.call("accounts.create", { name: "carol" }))).toMatchObject({ code: "ALREADY_EXISTS" });
  });

  it("does not start by one that has problems: all are said, and nothing is opened", async () => {
    writeFileSync(file, 'prot = 1\nmax-lease = "long"\n');

    const { code, stderr } = await runAgent(["--config", file]);

    expect(stderr.trimEnd().split("\n")).toEqual([
      expect.stringMatching(/agent\.toml:1: "prot" is no key .* Did you mean "port"\?$/),
      expect.stringMatching(/agent\.toml:2: max-lease is "long"; it takes a time/),
    ]);
    expect(code).toBe(2);
  });
});

describe("a configuration that is read anew", () => {
  it.each(["config.reload", "SIGHUP"])("by %s: counts, all of it, and what is lent stays lent", async (how) => {
    await start('max-lease = "2h"\n');
    const lease = await root.borrow({ buffer: "sim0/ch0", leaseMs: 3_600_000 });
    const offer = await root.call("delegations.request", { buffer: "sim0/ch1" });
    writeFileSync(
      file,
      'port = 1\nmax-lease = "90m"\n[accounts.dave]\nrole = "operator"\n[[rules]]\nname = "short"\nmax-lease = "30m"\n',
    );

    if (how === "SIGHUP") {
      agent.kill("SIGHUP");
      await until(async () => (await root.call("policy.list")).total === 1, "the rule is there");
    } else {
      expect(await root.call("config.reload")).toEqual({
        file,
        changed: ["max-lease", "accounts.dave", "rules.short"],
        notes: [],
        needsRestart: [], // the command line has the last word on the port
        accounts: 1,
        rules: 1,
      });
    }

    expect((await root.call("status.get")).limits.maxLeaseMs).toBe(90 * 60_000);
    expect((await root.call("accounts.list")).items).toMatchObject([{ name: "dave", role: "operator" }]);
    expect(await root.call("delegations.get", { id: lease.delegation.id })).toMatchObject({ state: "active" });
    expect(await root.call("delegations.get", { id: offer.id })).toMatchObject({ state: "offered" });
    expect(await refusalOf(root.call("delegations.extend", { id: lease.delegation.id, byMs: 1000 }))).toMatchObject({
      code: "LIMIT",
      message: expect.stringContaining('Rule "short"'),
    });
    expect((await root.call("audit.list", { limit: 10 })).items).toContainEqual(
      expect.objectContaining({
        action: "config.reloaded",
        actor: how === "SIGHUP" ? "agent SIGHUP" : expect.stringMatching(/^uid:\d+ /),
        detail: expect.objectContaining({ file, rules: 1 }),
      }),
    );
    lease.close();
  });

  it("notes groups that the host does not have, in which nobody is", async () => {
    await start("");
    writeFileSync(
      file,
      '[groups]\nnosuch = "viewer"\nroot = "viewer"\n[[rules]]\nname = "typo"\nwho = ["!group:studnets"]\n',
    );

    expect((await root.call("config.reload")).notes).toEqual([
      '[groups] names the group "nosuch", which this host does not have: nobody is in it.',
      'rule "typo" names the group "studnets", which this host does not have: nobody is in it.',
    ]);
  });

  it("says what counts from the next start only", async () => {
    await start("simulated = true\n");
    writeFileSync(file, 'system-memory = "1MiB"\ndurability = "full"\n');

    expect(await root.call("config.reload")).toMatchObject({
      changed: [],
      needsRestart: ["durability", "system-memory"],
    });
    expect((await root.call("devices.list")).map(({ name }) => name)).toEqual(["sim0"]);
  });

  it("is only looked at where that is asked", async () => {
    await start("");
    writeFileSync(file, 'max-lease = "1h"\n');

    expect(await root.call("config.reload", { check: true })).toMatchObject({ changed: ["max-lease"] });
    expect((await root.call("status.get")).limits.maxLeaseMs).toBe(7 * 86_400_000);
    expect((await lastEntry())?.action).not.toBe("config.reloaded");
  });

  it.each([
    ["is no TOML", "max-lease = \n", "BAD_INPUT", /^Nothing was changed: .*agent\.toml:1: /],
    [
      "has a problem",
      'max-lease = "1h"\n[[rules]]\nname = "B"\n',
      "BAD_INPUT",
      /agent\.toml:3: rule "B": name: a small/,
    ],
    ["is gone", null, "BAD_INPUT", /there is no such file/],
    [
      "names a uid that has something as itself",
      "[accounts.erin]\nuids = [4321]\n",
      "IN_USE",
      /^uid:4321 has 1 live delegations/,
    ],
  ] as const)("changes nothing where it %s: answer, audit and log say so", async (_what, text, code, words) => {
    await start('max-lease = "2h"\n[accounts.carol]\n');
    await root.call("delegations.request", { buffer: "sim0/ch0", account: "uid:4321" });
    if (text === null) rmSync(file);
    else writeFileSync(file, text);

    const refused = await refusalOf(root.call("config.reload"));

    expect(refused).toEqual({ code, message: expect.stringMatching(words) });
    expect((await root.call("status.get")).limits.maxLeaseMs).toBe(7_200_000);
    expect((await root.call("accounts.list")).items).toMatchObject([{ name: "carol" }]);
    expect((await root.call("audit.list", { limit: 5 })).items).toContainEqual(
      expect.objectContaining({ action: "config.refused", detail: { code, problem: refused.message } }),
    );
    expect(agent.output).toContain("the configuration was not taken up");
  });

  it("takes from an account that is in it no more all that it has", async () => {
    await start('[accounts.carol]\nrole = "member"\n[accounts.dave]\n');
    const door = new Door(agent);
    const { url } = await root.call("sessions.createLink", { account: "carol" });
    const page = await door.signInBy(url.split("#login=")[1]!);
    const offers = await Promise.all([
      root.call("delegations.request", { buffer: "sim0/ch0", account: "carol" }),
      root.call("delegations.request", { buffer: "sim0/ch1", account: "dave" }),
    ]);
    writeFileSync(file, "[accounts.dave]\n");

    await root.call("config.reload");

    const states = await Promise.all(offers.map(({ id }) => root.call("delegations.get", { id })));
    expect(states).toMatchObject([{ state: "cancelled", reason: "operator" }, { state: "offered" }]);
    expect((await door.call("sessions.me", {}, door.page(page))).status).toBe(401);
  });

  it("is nothing where the agent has no file", async () => {
    agent = await startAgent();
    root = await agent.connect();

    expect(await refusalOf(root.call("config.reload"))).toMatchObject({
      code: "UNSUPPORTED",
      message: expect.stringContaining("--config FILE"),
    });
  });
});

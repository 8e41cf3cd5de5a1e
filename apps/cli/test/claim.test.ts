import { readFileSync } from "node:fs";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

async function delegate(buffer: string, ...options: string[]): Promise<string> {
  const { id } = await agent.json<Delegation>("delegate", buffer, ...options);
  return String(id);
}

const get = async (id: string) =>
  (await agent.json<{ items: Delegation[] }>("delegations", "--all")).items.find((it) => it.id === Number(id))!;

describe("claim", () => {
  it("holds the memory so that another program can open it", async () => {
    const id = await delegate("sim0/ch1");
    const holder = agent.start("claim", id);

    const [, path] = await holder.sees(/other programs may open (\S+)/);

    expect(readFileSync(path!).length).toBe(2 ** 20);
    holder.child.kill("SIGINT");
    await holder.ended;
  });

  it.each(["SIGINT", "SIGTERM", "SIGHUP"] as const)("gives it back on %s, and that is no failure", async (signal) => {
    const id = await delegate("sim0/ch1");
    const holder = agent.start("claim", id);
    await holder.sees(/Ctrl-C gives it back/);

    holder.child.kill(signal);

    expect((await holder.ended).code).toBe(0);
    expect(await get(id)).toMatchObject({ state: "revoked", reason: "released" });
  });

  it("exits with 6 when it was taken back, and says how", async () => {
    const id = await delegate("sim0/ch1");
    const holder = agent.start("claim", id);
    await holder.sees(/Held/);

    await agent.run("revoke", id);
    const { code, stdout } = await holder.ended;

    expect(stdout).toMatch(/sim0\/ch1 was taken back \(operator; ftruncate, size 0, /);
    expect(code).toBe(6);
  });

  it("exits with 69 when the agent goes away", async () => {
    await using mortal = await TestAgent.start();
    const { id } = await mortal.json<Delegation>("delegate", "sim0/ch0");
    const holder = mortal.start("claim", String(id));
    await holder.sees(/Held/);

    await mortal.kill();
    const { code, stderr } = await holder.ended;

    expect(stderr).toMatch(/The connection to the agent at .* was lost/);
    expect(code).toBe(69);
  });

  it("with --json prints what it holds, then each state, as JSON Lines", async () => {
    const id = await delegate("sim0/ch1");
    const holder = agent.start("claim", id, "--json");
    await holder.sees(/"path"/);

    await agent.run("revoke", id);
    const { stdout } = await holder.ended;

    const [held, ...states] = stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(held).toMatchObject({
      delegation: { id: Number(id), state: "active" },
      size: 2 ** 20,
      pid: holder.child.pid,
    });
    expect(states.at(-1)).toMatchObject({ id: Number(id), state: "revoked", reason: "operator" });
  });

  it("lets go of a kept delegation on Ctrl-C, and can claim it again", async () => {
    const id = await delegate("sim0/ddr", "--keep");
    const first = agent.start("claim", id);
    await first.sees(/it stays yours/);
    first.child.kill("SIGINT");
    expect((await first.ended).code).toBe(0);

    const { code, stdout } = await agent.run("claim", id, "--", "sh", "-c", "echo $LENDBUF_BUFFER");

    expect(stdout).toBe("sim0/ddr\n");
    expect(code).toBe(0);
    expect(await get(id)).toMatchObject({ state: "active", client: null });
  });

  it("-- COMMAND runs it, exits as it did, and ends the delegation", async () => {
    const id = await delegate("sim0/ch1", "--read-only");

    const { code, stdout } = await agent.run("claim", id, "--", "sh", "-c", "echo $LENDBUF_ACCESS; exit 3");

    expect(stdout).toBe("read-only\n");
    expect(code).toBe(3);
    expect(await get(id)).toMatchObject({ state: "revoked", reason: "released" });
  });

  it.each([
    ["a delegation that does not exist", async () => "99999", 4, /99999/],
    [
      "one that has ended",
      async () => {
        const id = await delegate("sim0/ch1");
        await agent.run("release", id);
        return id;
      },
      6,
      /ended/,
    ],
    [
      "one that waits in line",
      async () => {
        await delegate("sim0/ch1");
        return delegate("sim0/ch1", "--wait");
      },
      5,
      /waits in line/,
    ],
  ])("refuses %s", async (_name, make, expected, said) => {
    const { code, stderr, stdout } = await agent.run("claim", await make());

    expect(stderr).toMatch(said);
    expect(stdout).toBe("");
    expect(code).toBe(expected);
  });
});

describe("delegate", () => {
  it("prints the id and the lines to paste", async () => {
    const { stdout } = await agent.run("delegate", "sim0/ch1", "--for", "15m", "--read-only", "--claim-within", "5m");

    const [, id] = /^Delegation (\d+) for uid:\d+ is offered; the offer lapses in (?:5m|4m 59s)\.$/m.exec(stdout)!;
    expect(stdout).toContain("sim0/ch1, read-only, shared, 15m from the claim on");
    expect(stdout).toContain(`lendbuf claim ${id}\n`);
    expect(stdout).toContain(`lendbuf release ${id}\n`);
  });

  it("tells the place in line", async () => {
    await delegate("sim0/ch1");

    const { stdout } = await agent.run("delegate", "sim0/ch1", "--wait");

    expect(stdout).toMatch(/^Delegation \d+ for uid:\d+ waits in line, place 1, in [\dhms ]+ at the latest\.$/m);
  });

  it("takes a user's name for the account", async () => {
    const { account } = await agent.json<Delegation>("delegate", "sim0/ch1", "--to", "daemon");

    expect(account).toBe("uid:1");
  });

  it("is refused with 7 for a lease beyond the agent's limit", async () => {
    const { code, stderr } = await agent.run("delegate", "sim0/ch1", "--for", "90d");

    expect(stderr).toContain("longer");
    expect(code).toBe(7);
  });
});

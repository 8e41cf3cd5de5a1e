import type { RevokeSummary } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Status } from "@lendbuf/shared/status";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

const SOMEBODY = `uid:${process.getuid!() + 1000}`;

async function delegate(buffer: string, ...options: string[]): Promise<string> {
  const { id } = await agent.json<Delegation>("delegate", buffer, ...options);
  return String(id);
}

/** A process that has the memory. */
async function claimed(buffer: string) {
  const id = await delegate(buffer);
  const holder = agent.start("claim", id);
  await holder.sees(/Held by pid/);
  return { id, holder };
}

describe("revoke", () => {
  it("says of each how the kernel confirmed it", async () => {
    const { id, holder } = await claimed("sim0/ch0");
    const offered = await delegate("sim0/ch1");

    const { code, stdout } = await agent.run("revoke", id, offered);

    const [head, first, second] = stdout.split("\n");
    expect(head).toMatch(/^ *ID {2}BUFFER +ACCOUNT +STATE +HOW$/);
    expect(first).toMatch(new RegExp(`^ *${id} {2}sim0/ch0 +uid:\\d+ +revoked +ftruncate, size 0, \\d+\\.\\d\\d ms$`));
    expect(second).toMatch(new RegExp(`^ *${offered} {2}sim0/ch1 +uid:\\d+ +cancelled +was never exported$`));
    expect(code).toBe(0);
    await holder.ended;
  });

  it("with --json prints the delegations as the agent answers them", async () => {
    const { id, holder } = await claimed("sim0/ch0");

    const [ended] = await agent.json<Delegation[]>("revoke", id);

    expect(ended).toMatchObject({ id: Number(id), state: "revoked", reason: "operator", proof: { probe: "size 0" } });
    await holder.ended;
  });

  it("with --notice tells first", async () => {
    const { id, holder } = await claimed("sim0/ch0");

    const { stdout } = await agent.run("revoke", id, "--notice", "5m");

    expect(stdout).toMatch(/active +operator in (5m|4m 59s)/);
    await holder.sees(/sim0\/ch0 will be taken back in/);
    await agent.clear();
    await holder.ended;
  });

  it("exits with 9 while the kernel has not confirmed it, and says what it waits for", async () => {
    const { id, holder } = await claimed("sim0/ch0");
    const { devices } = await agent.json<Status>("status");
    const warden = devices[0]!.warden!.pid;
    process.kill(warden, "SIGSTOP");

    const { code, stdout } = await agent.run("revoke", id);
    process.kill(warden, "SIGCONT");

    expect(stdout).toMatch(new RegExp(`^ *${id} {2}sim0/ch0 +uid:\\d+ +revoking +waits: `, "m"));
    expect(code).toBe(9);
    await holder.sees(/was taken back \(operator; ftruncate, size 0/);
  });

  it("of several, where one does not exist, ends none", async () => {
    const id = await delegate("sim0/ch0");

    const { code, stderr } = await agent.run("revoke", id, "99999");

    expect(code).toBe(4);
    expect(stderr).toContain("99999");
    const { items } = await agent.json<{ items: Delegation[] }>("delegations");
    expect(items).toHaveLength(1);
  });

  it("does not end other people's without a terminal to ask on, unless told --yes", async () => {
    const id = await delegate("sim0/ch0", "--to", SOMEBODY);

    const asked = await agent.run("revoke", id);
    const told = await agent.run("revoke", id, "--yes");

    expect(asked).toMatchObject({ code: 2, stdout: "" });
    expect(asked.stderr).toContain("--yes");
    expect(told.code).toBe(0);
  });

  it.each([
    ["y", 0, /cancelled/],
    ["n", 1, /Nothing was ended/],
    ["", 1, /Nothing was ended/],
  ])("asks on a terminal, showing what would end; %j means exit code %i", async (answer, expected, said) => {
    const id = await delegate("sim0/ch0", "--to", SOMEBODY, "--purpose", "calibration");
    const asking = agent.startOnTerminal("revoke", id);

    await asking.sees(/\[y\/N\]/);
    asking.type(answer);
    const { code, stdout } = await asking.ended;

    expect(stdout).toContain(SOMEBODY);
    expect(stdout).toMatch(said);
    expect(code).toBe(expected);
  });

  it("takes Ctrl-D for a no", async () => {
    const id = await delegate("sim0/ch0", "--to", SOMEBODY);
    const asking = agent.startOnTerminal("revoke", id);

    await asking.sees(/\[y\/N\]/);
    asking.child.stdin!.write("\x04");

    expect((await asking.ended).code).toBe(1);
  });
});

describe("revoke --all", () => {
  it("ends everything, and tells how much", async () => {
    const { holder } = await claimed("sim0/ch0");
    await delegate("sim0/ch1");

    const { code, stdout } = await agent.run("revoke", "--all", "--yes");

    expect(stdout).toMatch(/^Revoked 1, cancelled 1, in [\d.]+ ms\.\n$/);
    expect(code).toBe(0);
    expect((await holder.ended).code).toBe(6);
  });

  it("with --json prints the summary", async () => {
    await delegate("sim0/ch1");

    expect(await agent.json<RevokeSummary>("revoke", "--all", "--yes", "--device", "sim0")).toMatchObject({
      revoked: 0,
      cancelled: 1,
      remaining: 0,
    });
  });

  it("needs --yes where nobody can be asked, even for one's own", async () => {
    await delegate("sim0/ch1");

    expect((await agent.run("revoke", "--all")).code).toBe(2);
  });
});

describe("release", () => {
  it("withdraws an offer", async () => {
    const id = await delegate("sim0/ch0");

    const { code, stdout } = await agent.run("release", id);

    expect(stdout).toMatch(/cancelled +was never exported/);
    expect(code).toBe(0);
  });
});

describe("panic", () => {
  it("ends what has the tag, says how it went, and leaves the rest", async () => {
    await agent.run(
      "define",
      "lab/a",
      "--device",
      "sim0",
      "--region",
      "2",
      "--range",
      "4MiB+64KiB",
      "--tag",
      "bench-3",
    );
    const { id, holder } = await claimed("lab/a");
    const other = await delegate("sim0/ch1");

    const { code, stdout } = await agent.run("panic", "--tag", "bench-3", "--yes");

    expect(stdout).toMatch(/^Revoked 1, cancelled 0, in \d+\.\d ms\.\n$/);
    expect(code).toBe(0);
    await holder.ended;
    expect(await agent.json<Delegation>("delegations", "get", id)).toMatchObject({ state: "revoked", reason: "panic" });
    expect(await agent.json<Delegation>("delegations", "get", other)).toMatchObject({ state: "offered" });
    await agent.run("undefine", "lab/a");
  });

  it("exits with 9 and names what remains while a device does not answer, and says meanwhile that it waits", async () => {
    const { id, holder } = await claimed("sim0/ch0");
    const { devices } = await agent.json<Status>("status");
    const warden = devices[0]!.warden!.pid;
    process.kill(warden, "SIGSTOP");

    const { code, stdout, stderr } = await agent.run("panic", "--device", "sim0", "--yes");
    process.kill(warden, "SIGCONT");

    expect(stderr).toContain("Waiting for the kernel to confirm the end of 1 delegation.");
    expect(stdout).toMatch(/^Revoked 0, cancelled 0, in \d+\.\d ms\. 1 not confirmed by the kernel yet:$/m);
    expect(stdout).toMatch(new RegExp(`^ *${id} {2}sim0/ch0 +uid:\\d+ +waits: the kernel has not answered yet`, "m"));
    expect(code).toBe(9);
    await holder.ended;
  });

  it("needs --yes where there is no terminal to ask on, and ends nothing", async () => {
    const id = await delegate("sim0/ch0", "--to", SOMEBODY);

    const { code, stderr } = await agent.run("panic", "--account", SOMEBODY);

    expect(stderr).toContain("Add --yes");
    expect(code).toBe(2);
    expect(await agent.json<Delegation>("delegations", "get", id)).toMatchObject({ state: "offered" });
  });
});

import { chownSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AgentProcess, runAgent, startAgent, startBystander, temporaryFolder } from "./harness.ts";

let folder: string;

beforeEach(() => {
  folder = temporaryFolder();
});

afterEach(() => rmSync(folder, { recursive: true }));

function here(more: string[] = []): string[] {
  return ["--port", "0", "--state", join(folder, "state"), "--socket", join(folder, "agent.sock"), ...more];
}

/** What is said, in one line without a stack, and with which status. */
async function expectRefusal(args: string[], env: Record<string, string>, status: number, words: RegExp) {
  const { code, stderr } = await runAgent(args, env);

  expect(stderr.trimEnd()).toMatch(words);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(status);
}

describe("a command line that cannot be", () => {
  it.each<[string, string[], Record<string, string>, RegExp]>([
    ["an unknown flag", ["--colour", "red"], {}, /^Unknown option '--colour'.*--help lists the options\.$/],
    ["a word too many", ["now"], {}, /^Unexpected argument 'now'.*--help lists the options\.$/],
    ["a flag without its value", ["--port"], {}, /--port.*argument missing.*--help/],
    ["a port in words", ["--port", "http"], {}, /^--port is "http"; it takes a number from 0 to 65535\.$/],
    ["a port beyond 65535", ["--port", "65536"], {}, /^--port is "65536"; it takes a number from 0 to 65535\.$/],
    ["a negative port", ["--port=-1"], {}, /^--port is "-1"/],
    ["a port with a fraction", ["--port", "1.5"], {}, /^--port is "1\.5"/],
    ["a port in the environment", [], { LENDBUF_PORT: "abc" }, /^LENDBUF_PORT is "abc"; it takes a number/],
    ["a lease of nothing", ["--max-lease", "0"], {}, /^--max-lease is "0"; it takes a time such as 90s, 2h or 7d\.$/],
    [
      "a wait of nothing",
      ["--adopt-time", "0"],
      {},
      /^--adopt-time is "0"; it takes off, or a time of at most 1h such as 10s\.$/,
    ],
    ["a wait without end", ["--adopt-time", "2h"], {}, /^--adopt-time is "2h"; it takes off, or a time of at most 1h/],
    ["a lease in words", ["--max-lease", "long"], {}, /^--max-lease is "long"; it takes a time/],
    [
      "a device by half its name",
      ["--devices", "01:00.0"],
      {},
      /^--devices names "01:00\.0"; a PCI device is written 0000:01:00\.0/,
    ],
    ["a bus master in words", ["--bus-master", "all"], {}, /^--bus-master names "all"; a PCI device is written/],
    [
      "memory in words",
      ["--system-memory", "some"],
      {},
      /^--system-memory is "some"; it takes a size in whole pages of 4096/,
    ],
    ["no memory", ["--system-memory", "0"], {}, /^--system-memory is "0"; it takes a size/],
    ["half a page of memory", ["--system-memory", "6KiB"], {}, /^--system-memory is "6KiB"; it takes a size/],
    [
      "something allowed that has no name",
      ["--allow-irrevocable", "ram0,/all"],
      {},
      /^--allow-irrevocable names "\/all"; it takes names of buffers or devices, such as ram0\/all or ram0\.$/,
    ],
    ["a simulated device, perhaps", ["--simulated", "perhaps"], {}, /^--simulated is "perhaps"; it takes on or off\.$/],
    [
      "a feature that is no number",
      ["--revoke-feature", "fifteen"],
      {},
      /^--revoke-feature is "fifteen"; it takes a number/,
    ],
    ["a lease without end", ["--max-lease", "9".repeat(400)], {}, /^--max-lease is "9+"; it takes a time/],
    ["a negative notice", ["--notice=-1s"], {}, /^--notice is "-1s"; it takes a time/],
    ["no connections", ["--max-connections", "0"], {}, /^--max-connections is "0"; it takes a number from 1/],
    [
      "a durability that there is not",
      ["--durability", "very"],
      {},
      /^--durability is "very"; it takes normal or full\.$/,
    ],
    [
      "a path that is too long",
      ["--socket", `/${"x".repeat(107)}`],
      {},
      /path has 108 bytes, the kernel takes 107.*--socket/,
    ],
    ["a path that is too long in bytes", ["--socket", `/${"é".repeat(54)}`], {}, /path has 109 bytes/],
  ])("%s", async (_name, args, env, words) => {
    await expectRefusal(args, env, 2, words);
  });

  it("--help says all of it, and is no error", async () => {
    const { code, stdout, stderr } = await runAgent(["--help"]);

    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(stdout).toContain("--max-lease TIME");
  });
});

describe("a place that cannot be", () => {
  it("a socket's path that is a file is left as it is", async () => {
    writeFileSync(join(folder, "agent.sock"), "precious");

    await expectRefusal(
      here(),
      {},
      1,
      /agent\.sock is there already, and is no socket\. It was left as it is.*--socket/,
    );
    expect(readFileSync(join(folder, "agent.sock"), "utf8")).toBe("precious");
  });

  it("nor is a folder, or a link that leads nowhere", async () => {
    mkdirSync(join(folder, "folder"));
    symlinkSync(join(folder, "nowhere"), join(folder, "link"));

    await expectRefusal([...here(), "--socket", join(folder, "folder")], {}, 1, /is no socket/);
    await expectRefusal([...here(), "--socket", join(folder, "link")], {}, 1, /is no socket/);
    expect(existsSync(join(folder, "nowhere"))).toBe(false);
  });

  it("a socket that nobody listens on any more is replaced", async () => {
    const first = await startAgent({ state: join(folder, "state"), socket: join(folder, "agent.sock") });
    await first.crash();
    expect(existsSync(first.socket)).toBe(true);

    const second = await startAgent({ state: first.state, socket: first.socket });

    expect((await second.raw().ask("status.get")).result.pid).toBe(second.pid);
    await second.stop();
    expect(existsSync(first.socket)).toBe(false);
  });

  it("a socket below a file", async () => {
    writeFileSync(join(folder, "file"), "");

    await expectRefusal(
      [...here(), "--socket", join(folder, "file/agent.sock")],
      {},
      1,
      /^The agent cannot start: .*EEXIST.*--socket/,
    );
  });

  it("a socket in a folder of somebody else's", async ({ skip }) => {
    if (process.getuid!() !== 0) skip("only root can make a folder somebody else's: run the tests as root");
    mkdirSync(join(folder, "theirs"));
    chownSync(join(folder, "theirs"), 1000, 1000);

    await expectRefusal(
      [...here(), "--socket", join(folder, "theirs/agent.sock")],
      {},
      1,
      /theirs belongs to uid 1000\. Choose one of your own with --socket/,
    );
  });

  it("a state folder that is a file: it runs, lends nothing and says why", async () => {
    writeFileSync(join(folder, "state"), "");
    await using agent = await startAgent({ state: join(folder, "state"), socket: join(folder, "agent.sock") });

    const { error } = await agent.raw().ask("delegations.borrow", { buffer: "sim0/ch0" });

    expect(agent.output).toMatch(/Nothing can be lent yet: /);
    expect(error.data.code).toBe("DEVICE_LOST"); // its warden has no place for its last word
    expect(error.message).toContain(join(folder, "state"));
  });

  it("a port that somebody has", async () => {
    const other = createServer().listen(0, "127.0.0.1");
    await new Promise((resolve) => other.once("listening", resolve));
    const { port } = other.address() as { port: number };

    await expectRefusal(
      [...here(), "--port", String(port)],
      {},
      1,
      new RegExp(`^Port ${port} of 127\\.0\\.0\\.1 is taken\\. Choose another with --port`),
    );
    other.close();
  });
});

describe("a second agent", () => {
  it("on the same state is refused, and the first goes on", async () => {
    await using first = await startAgent();
    const bystander = await startBystander(first);

    await expectRefusal(
      ["--port", "0", "--state", first.state, "--socket", join(folder, "other.sock")],
      {},
      1,
      new RegExp(
        `^An agent is already running on .*: pid ${first.pid}, socket ${first.socket}\\. Use it, end it first`,
      ),
    );
    await bystander.check();
  });

  it("at the same socket is refused, and the first goes on", async () => {
    await using first = await startAgent();
    const bystander = await startBystander(first);

    await expectRefusal(
      [...here(), "--socket", first.socket],
      {},
      1,
      /^Somebody listens at .*agent\.sock already\. Use that agent, end it first/,
    );
    await bystander.check();
    expect((await first.raw().ask("status.get")).result.pid).toBe(first.pid);
  });

  it("of two that start at once, one runs", async () => {
    const places = { state: join(folder, "state"), socket: join(folder, "agent.sock") };
    const agents = [new AgentProcess(places), new AgentProcess(places), new AgentProcess(places)];

    const outcomes = await Promise.allSettled(agents.map((agent) => agent.ready()));
    const running = agents.filter((_, i) => outcomes[i]!.status === "fulfilled");

    expect(running).toHaveLength(1);
    expect((await running[0]!.raw().ask("status.get")).result.pid).toBe(running[0]!.pid);
    for (const agent of agents) await agent.stop();
  });
});

describe("a lease of 30 days", () => {
  it("is lent where --max-lease allows it, and does not end at once", async () => {
    await using agent = await startAgent({ args: ["--max-lease", "60d"] });
    const client = agent.raw();
    const month = 30 * 86_400_000;

    const { result } = await client.ask("delegations.borrow", { buffer: "sim0/ch0", leaseMs: month });
    const { id } = result.delegation;
    const short = await client.ask("delegations.borrow", { buffer: "sim0/ch1", leaseMs: 50 });
    const { result: subscription } = await client.ask("delegations.follow", { id: short.result.delegation.id });
    let state = "";
    while (state !== "revoked") {
      const { params } = (await client.packet()).json;
      if (params?.subscription === subscription.subscription && params.data) ({ state } = params.data);
    }

    const { result: later } = await client.ask("delegations.get", { id });
    expect(later).toMatchObject({ state: "active", leaseMs: month, ending: null });
    expect(later.expiresAt - later.claimedAt).toBe(month);
  });
});

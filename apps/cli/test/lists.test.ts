import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync } from "node:fs";
import { connect } from "@lendbuf/client/connect";
import type { DmaBufs } from "@lendbuf/shared/api";
import type { AuditEntry, AuditVerdict } from "@lendbuf/shared/audit";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Device } from "@lendbuf/shared/device";
import type { Holders } from "@lendbuf/shared/holder";
import type { Status } from "@lendbuf/shared/status";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { run, TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

const narrow = (...args: string[]) => run(args, { env: { LENDBUF_SOCKET: agent.socket, COLUMNS: "40" } });

describe("status and devices", () => {
  it("tell what there is, also as JSON", async () => {
    const status = await agent.json<Status>("status");
    const [device] = await agent.json<Device[]>("devices");

    expect(status).toMatchObject({ pid: agent.child.pid, socket: agent.socket });
    expect(device).toEqual(status.devices[0]);
    expect((await agent.run("status")).stdout).toContain(`socket     ${agent.socket}\n`);
    expect((await agent.run("devices")).stdout).toMatch(/^sim0 +ready +simulated .* ftruncate /m);
  });
});

describe("buffers", () => {
  it("are a table whose columns are aligned", async () => {
    const { stdout } = await agent.run("buffers");

    const lines = stdout.trimEnd().split("\n");
    const column = lines[0]!.indexOf("STATE");
    expect(lines).toHaveLength(7);
    for (const line of lines.slice(1)) expect(line.slice(column)).toMatch(/^free /);
  });

  it("fit a terminal of 40 columns", async () => {
    const { stdout } = await narrow("buffers");

    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(40);
    expect(stdout).toContain("sim0/ch0");
  });

  it("as JSON are what the API answers, over all pages", async () => {
    const { items, next, total } = await agent.json<{ items: BufferView[]; next: null; total: number }>("buffers");

    expect(items.map(({ name }) => name)).toContain("sim0/ddr");
    expect([items.length, next, total]).toEqual([6, null, 6]);
  });

  it("can be picked by device and by words, and be limited", async () => {
    expect((await agent.json<{ items: unknown[] }>("buffers", "--search", "chirp")).items).toHaveLength(1);
    expect((await agent.json<{ items: unknown[] }>("buffers", "--limit", "2")).items).toHaveLength(2);
    expect((await agent.run("buffers", "--limit", "2")).stdout).toMatch(/… and 4 more\n$/);
    expect((await agent.run("buffers", "--search", "no such thing")).stdout).toBe("No buffers.\n");
    expect(await agent.json("buffers", "--search", "no such thing")).toEqual({ items: [], next: null, total: 0 });
  });

  it("can be defined with sizes as people write them, and removed", async () => {
    const flags = ["--device", "sim0", "--region", "2", "--range", "5MiB+8KiB", "--range", "0x600000+0x1000"];

    const defined = await agent.json<BufferView>("define", "sim0/own", ...flags, "--scrub", "zero");
    const removed = await agent.run("undefine", "sim0/own");

    expect(defined.ranges).toEqual([
      { offset: 5 * 2 ** 20, length: 8192 },
      { offset: 0x600000, length: 4096 },
    ]);
    expect(defined).toMatchObject({ scrub: "zero", share: "exclusive", size: 12_288 });
    expect(removed).toMatchObject({ code: 0, stdout: "Removed sim0/own.\n" });
  });

  it.each([
    ["that overlap another", ["define", "sim0/own", "--device", "sim0", "--region", "2", "--range", "0+4KiB"], 6],
    ["of a device that is not there", ["define", "x/own", "--device", "x", "--region", "2", "--range", "0+4KiB"], 4],
    ["that come with the device cannot go", ["undefine", "sim0/ch0"], 3],
  ])("%s: refused", async (_name, args, expected) => {
    const { code, stderr } = await agent.run(...args);

    expect(stderr).toMatch(/^lendbuf: /);
    expect(code).toBe(expected);
  });
});

describe("delegations", () => {
  it("page through everything", async () => {
    using connection = await connect({ path: agent.socket });
    const request = { buffer: "sim0/ch0", wait: true, purpose: "x".repeat(200) };
    await Promise.all(Array.from({ length: 200 }, () => connection.call("delegations.request", request)));

    const { items, total } = await agent.json<{ items: Delegation[]; total: number }>("delegations");
    const { stdout } = await agent.run("delegations", "--mine");

    expect(total).toBe(200);
    expect(new Set(items.map(({ id }) => id)).size).toBe(200);
    expect(stdout.trimEnd().split("\n")).toHaveLength(201);
  });

  it("fit a terminal of 40 columns, and cut with an ellipsis", async () => {
    await agent.json("delegate", "sim0/ch0", "--purpose", "a long story");

    const { stdout } = await narrow("delegations", "--all");

    for (const line of stdout.split("\n")) expect([...line].length).toBeLessThanOrEqual(40);
    expect(stdout).toContain("sim0/ch0");
  });

  it("do not let a purpose paint the terminal", async () => {
    await agent.json("delegate", "sim0/ch0", "--purpose", "\x1b[2Jcleared");

    const { stdout } = await agent.run("delegations");

    expect(stdout).not.toContain("\x1b");
    expect(stdout).toContain("\ufffd[2Jcleared");
  });

  it("are coloured on a terminal only, and not with NO_COLOR", async () => {
    await agent.json("delegate", "sim0/ch0");

    const onTerminal = await agent.startOnTerminal("delegations").ended;
    const piped = await agent.run("delegations");

    expect(onTerminal.stdout).toContain("\x1b[36moffered\x1b[39m");
    expect(piped.stdout).not.toContain("\x1b");
  });
});

describe("holders", () => {
  it("are a table of the processes that have the memory, ours marked; a name cannot paint the terminal", async () => {
    const script = 'printf "\\033[2Jx" > /proc/self/comm; echo ready $$; read -r _';
    const running = agent.start("exec", "sim0/ch0", "--", "bash", "-c", script);
    const [, pid] = await running.sees(/ready (\d+)/);
    const [{ id } = { id: 0 }] = (await agent.json<{ items: Delegation[] }>("delegations")).items;

    const { stdout, code } = await agent.run("holders", String(id));
    const answer = await agent.json<Holders>("holders", String(id));
    running.child.kill("SIGKILL");
    await running.ended;

    expect(stdout).toMatch(new RegExp(`^ *${pid} +\\d+ +�\\[2Jx +fd 3$`, "m"));
    expect(stdout).toMatch(new RegExp(`^ *${agent.child.pid} .*the agent itself$`, "m"));
    expect(stdout).toMatch(/lendbuf-warden .*the device's warden$/m);
    expect(answer.holders.find((holder) => holder.pid === Number(pid))).toMatchObject({ fds: [3], role: null });
    expect(code).toBe(0);
  });

  it("are none of what is only offered, and the command says why", async () => {
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");

    const { stdout } = await agent.run("holders", String(id));

    expect(stdout).toBe(`Delegation ${id} has no export: there is nothing to hold.\n`);
  });
});

describe("dmabufs", () => {
  it("are listed, or there are none; what cannot be seen is told on stderr, and stands in the JSON", async () => {
    const answer = await agent.json<DmaBufs>("dmabufs");
    const { stdout, stderr, code } = await agent.run("dmabufs", "--search", "no such buffer");

    expect(answer.total).toBe(answer.items.length);
    expect(answer.processes).toBeGreaterThan(2);
    expect(stdout).toBe("No dma-buf that can be seen.\n");
    expect(stderr.match(/^note: /gm)?.length ?? 0).toBe(answer.notes.length);
    expect(code).toBe(0);
  });
});

describe("another account", () => {
  const isRoot = process.getuid!() === 0;

  it.skipIf(!isRoot)("is refused what is not its own, with 3 (needs root, to be somebody else)", async () => {
    chmodSync(agent.directory, 0o755);
    chmodSync(agent.socket, 0o666);
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    const stranger = (...args: string[]) => run(args, { uid: 54_321, env: { LENDBUF_SOCKET: agent.socket } });

    const [revoke, define, all] = await Promise.all([
      stranger("revoke", String(id), "--yes"),
      stranger("define", "sim0/x", "--device", "sim0", "--region", "2", "--range", "15MiB+4KiB"),
      stranger("revoke", "--all", "--yes"),
    ]);

    expect([revoke.code, define.code, all.code]).toEqual([3, 3, 3]);
    expect(revoke.stderr).toContain("belongs to uid:");
  });
});

describe("a closed pipe", () => {
  it.each([["buffers"], ["delegations", "--all"], ["status", "--json"]])("%s: leaves quietly", async (...args) => {
    const main = new URL("../dist/main.js", import.meta.url).pathname;
    // The reader is gone before the first line is written.
    const script = '"$@" 2>&3 | true; echo $PIPESTATUS';
    const env = { ...process.env, LENDBUF_SOCKET: agent.socket };
    const child = spawn("bash", ["-c", script, "bash", process.execPath, main, ...args], {
      env,
      stdio: ["ignore", "pipe", "inherit", "pipe"],
    });
    let said = "";
    child.stdout!.on("data", (text) => (said += text));
    child.stdio[3]!.on("data", (text) => (said += text));

    await once(child, "close");

    expect(said).toBe("0\n");
  });
});

describe("audit", () => {
  it("tells the last entries, oldest first, and what is about one delegation", async () => {
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    await agent.run("release", String(id));

    const { stdout } = await agent.run("audit", "-n", "2");
    const about = await agent.run("audit", "--delegation", String(id), "--json");

    expect(stdout).toMatch(/requested.*\n.*cancelled/);
    const entries = about.stdout.trimEnd().split("\n");
    expect(entries.map((line) => (JSON.parse(line) as AuditEntry).action)).toEqual([
      "delegation.requested",
      "delegation.cancelled",
    ]);
  });

  it("--follow goes on with what comes, without a gap or a repeat", async () => {
    const following = agent.start("audit", "-n", "1", "--follow", "--json");
    await following.sees(/"seq"/);

    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    await following.sees(new RegExp(`"delegation.requested","delegation":${id},`));
    following.child.kill("SIGINT");
    const { code, stdout } = await following.ended;

    const seqs = stdout
      .trimEnd()
      .split("\n")
      .map((line) => (JSON.parse(line) as AuditEntry).seq);
    expect(seqs).toEqual(seqs.map((_, i) => seqs[0]! + i));
    expect(code).toBe(0);
  });

  it("verify finds the chain whole", async () => {
    const verdict = await agent.json<AuditVerdict>("audit", "verify");

    expect(verdict).toMatchObject({ ok: true, broken: null });
    expect((await agent.run("audit", "verify")).stdout).toMatch(
      /^The chain is whole: \d+ entries, head [0-9a-f]{64}\.\n$/,
    );
  });
});

describe("watch", () => {
  it("prints a line for each change where there is no terminal", async () => {
    const watching = agent.start("watch");
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    await watching.sees(new RegExp(`  ${id}  sim0/ch0  uid:\\d+  offered  read-write`));

    await agent.run("release", String(id));

    await watching.sees(new RegExp(`  ${id}  sim0/ch0  uid:\\d+  cancelled  withdrawn`));
    watching.child.kill("SIGINT");
    expect((await watching.ended).code).toBe(0);
  });

  it("prints states as JSON Lines", async () => {
    const watching = agent.start("watch", "--json");
    const { id } = await agent.json<Delegation>("delegate", "sim0/ch0");
    await watching.sees(new RegExp(`"id":${id},`));
    watching.child.kill("SIGTERM");
    const { stdout } = await watching.ended;

    for (const line of stdout.trimEnd().split("\n")) expect(JSON.parse(line)).toHaveProperty("total");
  });

  it("is a live table on a terminal, which is left as it was", async () => {
    const watching = agent.startOnTerminal("watch");
    await watching.sees(/Nothing is lent/);
    await agent.json("delegate", "sim0/ch0");
    await watching.sees(/sim0\/ch0/);

    watching.child.stdin!.write("\x03");
    const { code, stdout } = await watching.ended;

    expect(stdout.endsWith("\x1b[?25h\x1b[?1049l")).toBe(true);
    expect(code).toBe(0);
  });
});

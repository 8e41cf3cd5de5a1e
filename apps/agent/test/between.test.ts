// What happens between two borrowers: scrub, reset when idle, hooks, and what holds a buffer.
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import type { Connection } from "@lendbuf/client/connection";
import type { AuditEntry } from "@lendbuf/shared/audit";
import type { BufferView } from "@lendbuf/shared/buffer";
import { describe, expect, it } from "vitest";
import { type AgentProcess, isRunning, runAgent, until } from "./harness.ts";
import { Stage } from "./stage.ts";

const SIZE = 64 * 1024;
const GAIN = 0x104;

const stage = Stage.forEach();

interface Script {
  name?: string;
  on?: string;
  script: string;
  timeout?: string;
  failure?: string;
}

/** An agent with these hooks, all of the buffer sim0/ddr. */
function newAgentWith(...scripts: Script[]): Promise<AgentProcess> {
  const hooks = scripts.map(({ script, ...rest }) => ({
    ...{ name: "hook", on: "after-end", buffer: "sim0/ddr" },
    ...rest,
    command: ["/bin/sh", "-c", script],
  }));
  writeFileSync(`${stage.folder}/hooks.json`, JSON.stringify({ hooks }));
  return stage.newAgent({ args: ["--hooks", `${stage.folder}/hooks.json`] });
}

async function define(connection: Connection, name: string, index: number, more: object): Promise<void> {
  const ranges = [{ offset: (4 << 20) + index * SIZE, length: SIZE }];
  await connection.call("buffers.define", { name, device: "sim0", region: 2, ranges, ...more });
}

async function read(connection: Connection, buffer: string): Promise<Buffer> {
  const lease = await connection.borrow({ buffer, access: "read-only" });
  const bytes = Buffer.alloc(lease.delegation.size);
  lease.map().read(0, bytes);
  await lease.release();
  return bytes;
}

async function leaveIn(connection: Connection, buffer: string, text: string): Promise<void> {
  const lease = await connection.borrow({ buffer });
  lease.map().write(100, Buffer.from(text));
  await lease.release();
}

const bufferOf = (connection: Connection, name: string): Promise<BufferView> =>
  connection.call("buffers.get", { name });

/** Of a hook, its outcomes. */
type Entry = AuditEntry & { detail: { outcomes: { problem: string | null; output: string }[] } };

async function auditOf(connection: Connection, action: string): Promise<Entry[]> {
  const { items } = await connection.call("audit.list", { limit: 500 });
  return items.filter((entry) => entry.action === action) as Entry[];
}

const becomes = (connection: Connection, name: string, state: BufferView["state"]) =>
  until(async () => (await bufferOf(connection, name)).state === state, `${name} is ${state}`);

describe("scrub", () => {
  it.each([
    ["zero", Buffer.alloc(SIZE)],
    [{ pattern: "0xdead", width: 16 }, Buffer.alloc(SIZE, Buffer.from([0xad, 0xde]))],
  ])(
    "%j: the next borrower finds that and nothing else, and the audit says what was read back",
    async (scrub, found) => {
      const connection = await (await stage.newAgent()).connect();
      await define(connection, "own", 0, { scrub });
      await define(connection, "beside", 1, {});

      await leaveIn(connection, "beside", "stays");
      await leaveIn(connection, "own", "a secret");

      expect((await read(connection, "own")).equals(found)).toBe(true);
      expect((await read(connection, "beside")).subarray(100, 105).toString()).toBe("stays");
      await becomes(connection, "own", "free");
      const rows = await auditOf(connection, "buffer.scrubbed");
      expect(rows.length).toBeGreaterThanOrEqual(2); // when it was defined, after each borrower
      for (const row of rows)
        expect(row).toMatchObject({ buffer: "own", detail: { bytes: SIZE, checked: SIZE, scrub } });
    },
  );

  it("waits for the last of those who share the buffer", async () => {
    const connection = await (await stage.newAgent()).connect();
    await define(connection, "own", 0, { scrub: "zero" });
    await becomes(connection, "own", "free");
    const scrubs = async () => (await auditOf(connection, "buffer.scrubbed")).length;
    const before = await scrubs();
    const [one, other] = [
      await connection.borrow({ buffer: "own", access: "read-only" }),
      await connection.borrow({ buffer: "own", access: "read-only" }),
    ];

    await one.release();
    await until(async () => (await bufferOf(connection, "own")).occupied === 1, "one has left");
    expect((await bufferOf(connection, "own")).state).toBe("lent");
    expect(await scrubs()).toBe(before);
    await other.release();

    await until(async () => (await scrubs()) === before + 1, "it is scrubbed");
  });

  it("comes before the first of the next agent's borrowers too, whatever the agent before left undone", async () => {
    const first = await stage.newAgent();
    await define(await first.connect(), "own", 0, { scrub: { pattern: "0x5a", width: 8 } });
    await first.crash();

    const connection = await (await stage.newAgent()).connect();

    expect((await read(connection, "own")).equals(Buffer.alloc(SIZE, 0x5a))).toBe(true);
  });

  it("is refused of a buffer that is only ever read", async () => {
    const connection = await (await stage.newAgent()).connect();

    await expect(define(connection, "own", 0, { scrub: "zero", share: "shared" })).rejects.toMatchObject({
      code: "BAD_INPUT",
    });
    await expect(define(connection, "own", 0, { scrub: { pattern: "0x100", width: 8 } })).rejects.toMatchObject({
      message: expect.stringContaining("more bits than its width"),
    });
  });
});

describe("reset when idle", () => {
  it("gives the device's registers their start values after its last borrower, not before", async () => {
    const connection = await (await stage.newAgent({ args: ["--reset-idle", "sim0"] })).connect();
    const gain = async () => (await connection.call("buffers.peek", { name: "sim0/regs", offset: GAIN })).values[0];
    const first = await connection.borrow({ buffer: "sim0/ddr" });
    const last = await connection.borrow({ buffer: "sim0/ch0" });
    await connection.call("buffers.poke", { name: "sim0/regs", offset: GAIN, value: "0x1" });

    await first.release();
    await becomes(connection, "sim0/ddr", "free");
    const meanwhile = await gain();
    await last.release();
    await until(async () => (await auditOf(connection, "device.reset")).length === 1, "the device is reset");

    expect(meanwhile).toBe("0x00000001");
    expect(await gain()).toBe("0x00000100");
    const again = await connection.borrow({ buffer: "sim0/ch0" }); // waits for the reset, if that is under way
    await again.release();
  });
});

describe("hooks", () => {
  it("run with nothing of ours: no descriptor, no privilege, and an environment that says what they are about", async () => {
    const script =
      "ls /proc/$$/fd; grep -E '^(Uid|NoNewPrivs|Cap...):' /proc/self/status; cat /proc/$$/environ | tr '\\0' '\\n'";
    const agent = await newAgentWith({ script });
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ddr" });
    await lease.release();
    await until(async () => (await auditOf(connection, "hooks.ran")).length === 1, "the hook ran");

    const [entry] = await auditOf(connection, "hooks.ran");
    const { output, problem } = entry!.detail.outcomes[0]!;
    const uid = process.getuid!() === 0 ? 65_534 : process.getuid!();
    const lines: string[] = output.split("\n");
    expect(problem).toBe(null);
    expect(lines.slice(0, 3)).toEqual(["0", "1", "2"]);
    expect(lines[3]).toBe(`Uid:\t${uid}\t${uid}\t${uid}\t${uid}`);
    for (const set of ["CapInh", "CapPrm", "CapEff", "CapAmb"]) expect(lines).toContain(`${set}:\t0000000000000000`);
    expect(lines).toContain("NoNewPrivs:\t1");
    expect(
      lines
        .slice(10)
        .map((line) => line.split("=")[0])
        .sort(),
    ).toEqual(
      [
        "LANG",
        "PATH",
        ...["ACCESS", "ACCOUNT", "BUFFER", "DELEGATION", "DEVICE", "EVENT", "REASON"].map((one) => `LENDBUF_${one}`),
      ].sort(),
    );
    expect(lines).toContain(`LENDBUF_DELEGATION=${lease.delegation.id}`);
    expect(lines).toContain("LENDBUF_REASON=released");
  });

  it("the end is told while the hook still runs, and the buffer waits for it", async () => {
    const agent = await newAgentWith({ script: `while [ ! -e ${stage.folder}/go ]; do sleep 0.05; done` });
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ddr" });

    await connection.call("delegations.revokeAll");
    const between = await bufferOf(connection, "sim0/ddr");
    const refused = connection.call("delegations.request", { buffer: "sim0/ddr" });
    await expect(refused).rejects.toMatchObject({ code: "BUSY", message: expect.stringContaining("a hook runs") });
    const next = connection.borrow({ buffer: "sim0/ddr" });
    openFolder();
    writeFileSync(`${stage.folder}/go`, "");

    expect((await connection.call("delegations.get", { id: lease.delegation.id })).state).toBe("revoked");
    expect(between).toMatchObject({ state: "preparing", held: null });
    expect((await next).delegation.state).toBe("active");
  });

  it("one that fails holds the buffer where that is wanted, over a restart, until an operator lifts it", async () => {
    const agent = await newAgentWith({ script: "echo no power >&2; exit 3", failure: "hold" });
    const connection = await agent.connect();
    await (await connection.borrow({ buffer: "sim0/ddr" })).release();
    await becomes(connection, "sim0/ddr", "held");
    await agent.crash();

    const next = await (await stage.newAgent()).connect();
    const held = await bufferOf(next, "sim0/ddr");
    const taken = await next
      .subscribe("buffers.watch", {}, { signal: AbortSignal.timeout(5000) })
      [Symbol.asyncIterator]()
      .next();
    const refused = next.borrow({ buffer: "sim0/ddr" });
    await expect(refused).rejects.toMatchObject({
      code: "BUSY",
      message: expect.stringContaining("lendbuf lift sim0/ddr"),
    });
    const waiting = await next.call("delegations.request", { buffer: "sim0/ddr", wait: true });
    const lifted = await next.call("buffers.lift", { name: "sim0/ddr" });

    const reason = "the hook hook (after-end) failed: it exited with 3";
    expect(held).toMatchObject({ state: "held", held: { reason } });
    expect(taken.value.items).toMatchObject([{ name: "sim0/ddr", state: "held", held: { reason } }]);
    expect(lifted).toMatchObject({ held: null, state: "offered" });
    expect((await next.call("delegations.get", { id: waiting.id })).state).toBe("offered");
    expect((await auditOf(next, "hooks.ran"))[0]!.detail.outcomes[0]!.output).toBe("no power");
    expect(await auditOf(next, "buffer.lifted")).toHaveLength(1);
  });

  it.each(["warn", "ignore"])("one that fails and says %s keeps nobody off", async (failure) => {
    const agent = await newAgentWith({ script: "exit 1", failure });
    const connection = await agent.connect();
    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    expect((await auditOf(connection, "hooks.ran"))[0]).toMatchObject({
      detail: { outcomes: [{ problem: "it exited with 1" }] },
    });
    await agent.stop();
    expect(agent.output.includes("hook failed")).toBe(failure === "warn");
  });

  it("one that takes too long is ended with all that it started, and the buffer goes on", async () => {
    const agent = await newAgentWith({
      script: "sleep 1000 & setsid sleep 1000 & echo $! $$; trap '' TERM; wait",
      timeout: "1s",
    });
    const connection = await agent.connect();
    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    const [entry] = await auditOf(connection, "hooks.ran").then((rows) => rows.slice(-1));
    const { problem, output } = entry!.detail.outcomes[0]!;
    expect(problem).toBe("it took longer than 1 s");
    for (const pid of output.split(" ").map(Number)) expect(isRunning(pid), `${pid}`).toBe(false);
  });

  it("one that leaves a daemon behind with our pipe keeps nobody waiting, and the daemon ends", async () => {
    const agent = await newAgentWith({ script: "(setsid sleep 1000 & echo $!)" });
    const connection = await agent.connect();
    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    await (await connection.borrow({ buffer: "sim0/ddr" })).release();

    const [entry] = await auditOf(connection, "hooks.ran").then((rows) => rows.slice(-1));
    const { problem, output } = entry!.detail.outcomes[0]!;
    expect(problem).toBe(null);
    expect(isRunning(Number(output))).toBe(false);
  });

  it("one that is under way when the agent is killed ends with it, and the next agent runs it again", async () => {
    const first = await newAgentWith({
      script: `echo $$ > ${stage.folder}/pid; [ -e ${stage.folder}/go ] || sleep 1000`,
    });
    openFolder();
    const connection = await first.connect();
    const { delegation } = await connection.borrow({ buffer: "sim0/ddr" });
    await connection.call("delegations.revokeAll");
    await until(() => pidIn("pid") > 0, "the hook runs");
    const pid = pidIn("pid");
    await first.crash();
    await until(() => !isRunning(pid), "the hook has ended with the agent");
    writeFileSync(`${stage.folder}/go`, "");

    const next = await (await stage.newAgent({ args: ["--hooks", `${stage.folder}/hooks.json`] })).connect();
    await until(async () => (await auditOf(next, "hooks.ran")).length === 1, "the hook ran");

    expect((await auditOf(next, "hooks.ran"))[0]).toMatchObject({
      detail: { delegation: delegation.id, reason: "panic", outcomes: [{ problem: null }] },
    });
    await becomes(next, "sim0/ddr", "free");
  });

  it("one before the lending that fails lends nothing, and holds the buffer", async () => {
    const agent = await newAgentWith({ on: "before-lend", script: "exit 1", failure: "hold" });
    const connection = await agent.connect();

    const refused = connection.borrow({ buffer: "sim0/ddr" });
    await expect(refused).rejects.toMatchObject({
      code: "EXPORT_FAILED",
      message: expect.stringContaining("Nothing was lent"),
    });

    expect(await bufferOf(connection, "sim0/ddr")).toMatchObject({ state: "held", occupied: 0 });
    const { items } = await connection.call("delegations.list", { all: true });
    expect(items).toMatchObject([{ state: "revoked", reason: "export-failed", proof: { method: "never-exported" } }]);
  });

  it("one before the lending that waits is no obstacle to a revoke", async () => {
    const agent = await newAgentWith({
      on: "before-lend",
      script: `echo $$ > ${stage.folder}/pid; sleep 1000`,
      timeout: "2s",
    });
    openFolder();
    const connection = await agent.connect();
    const borrowing = connection.borrow({ buffer: "sim0/ddr" }).catch((cause) => cause);
    await until(() => pidIn("pid") > 0, "the hook runs");

    const summary = await connection.call("delegations.revokeAll");

    expect(summary).toMatchObject({ revoked: 1, remaining: 0 });
    expect(await borrowing).toMatchObject({ code: "ENDED" });
    await becomes(connection, "sim0/ddr", "free");
  });

  it.each([
    ["no JSON", "{", /which is no JSON/],
    ["a relative program", { name: "a", on: "after-end", buffer: "b", command: ["true"] }, /absolute path/],
    ["neither buffer nor device", { name: "a", on: "after-end", command: ["/bin/true"] }, /name a buffer or a device/],
    ["an unknown event", { name: "a", on: "later", buffer: "b", command: ["/bin/true"] }, /hooks\[0\]\.on/],
  ])("a file with %s is refused at start, with what is wrong", async (_what, hook, words) => {
    writeFileSync(`${stage.folder}/hooks.json`, typeof hook === "string" ? hook : JSON.stringify({ hooks: [hook] }));

    const { code, stderr } = await runAgent(["--hooks", `${stage.folder}/hooks.json`]);

    expect(stderr).toMatch(words);
    expect(code).toBe(2);
  });
});

/** For hooks, which are somebody else where the tests run as root. */
function openFolder(): void {
  rmSync(`${stage.folder}/pid`, { force: true });
  writeFileSync(`${stage.folder}/pid`, "", { mode: 0o666 });
  chmodSync(`${stage.folder}/pid`, 0o666);
  chmodSync(stage.folder, 0o711);
}

function pidIn(name: string): number {
  return Number(readFileSync(`${stage.folder}/${name}`, "utf8").trim());
}

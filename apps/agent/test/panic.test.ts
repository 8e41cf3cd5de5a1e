// Panic: by signal and by scope, while the database is locked, while a device does not answer, and of a thousand at once.
import { execFileSync } from "node:child_process";
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import type { RevokeSummary } from "@lendbuf/shared/api";
import type { AuditEntry } from "@lendbuf/shared/audit";
import { describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { AgentProcess, until } from "./harness.ts";
import { Stage } from "./stage.ts";

const SIZE = 64 * 1024;
const MANY = 1000;

const stage = Stage.forEach();

async function newClient(agent: AgentProcess): Promise<ClientProcess> {
  const client = await startClient(agent.socket);
  stage.opened.push(client);
  return client;
}

/** A delegation with processes that read its memory. */
async function hold(agent: AgentProcess, buffer: string) {
  const client = await newClient(agent);
  const { delegation, fd } = await client.borrow({ buffer });
  return { id: delegation.id, readers: await client.lend(fd, { size: delegation.size, mode: "guarded", paced: true }) };
}

async function panicked(client: ClientProcess, input: object = {}): Promise<RevokeSummary> {
  return (await client.must("delegations.revokeAll", input)).result;
}

async function auditOf(client: ClientProcess, action: string): Promise<AuditEntry[]> {
  const { result } = await client.must("audit.list", { limit: 100 });
  return result.items.filter((entry: AuditEntry) => entry.action === action);
}

/** The warden does not answer, as in a kernel call that does not return. */
function stopWarden(agent: AgentProcess) {
  const [pid] = agent.wardens;
  process.kill(pid!, "SIGSTOP");
  const stopped = { stop: () => process.kill(pid!, "SIGCONT") };
  stage.opened.push({ stop: () => agent.wardens.includes(pid!) && stopped.stop() });
  return stopped;
}

describe("SIGUSR1", () => {
  it("opens no inspector, at whatever moment of the start or later it comes", async () => {
    const agent = new AgentProcess(stage.place({}));
    stage.opened.push(agent);
    const signals = setInterval(() => handles(agent.pid, "SIGUSR1") && agent.kill("SIGUSR1"), 1);
    stage.opened.push({ stop: () => clearInterval(signals) });

    await agent.ready();
    clearInterval(signals);
    agent.kill("SIGUSR1");
    await (await newClient(agent)).must("status.get");

    expect(listeningPorts(agent.pid)).toEqual([new URL(agent.url).port]);
  });
});

describe("SIGUSR2", () => {
  it("ends everything, and tells the audit and the log", async () => {
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    const held = await hold(agent, "sim0/ch0");
    const offered = (await operator.must("delegations.request", { buffer: "sim0/ch1" })).result.id;

    agent.kill("SIGUSR2");
    await held.readers.refused(20);
    await until(async () => (await auditOf(operator, "panic")).length > 0, "the panic is in the audit");

    expect((await operator.must("delegations.get", { id: held.id })).result).toMatchObject({
      state: "revoked",
      reason: "panic",
      proof: { answer: "0", probe: "size 0" },
    });
    expect((await operator.must("delegations.get", { id: offered })).result).toMatchObject({ state: "cancelled" });
    const [entry] = await auditOf(operator, "panic");
    expect(entry).toMatchObject({ actor: "signal", detail: { revoked: 1, cancelled: 1, remaining: 0 } });
    expect(agent.output).toMatch(/"revoked":1,"cancelled":1,"remaining":0.*"msg":"panic"/);
  });

  it("works while another program has locked the database, which hears of it afterwards", async () => {
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    const held = await hold(agent, "sim0/ch0");
    const waiting = (await operator.must("delegations.request", { buffer: "sim0/ch0", wait: true })).result.id;
    await agent.crash();
    await held.readers.refused(20);
    const locker = await stage.lockDatabase();
    const second = await stage.newAgent();
    const client = await newClient(second);

    second.kill("SIGUSR2");
    await until(() => second.output.includes('"msg":"panic"'), "the panic is in the log");
    expect((await client.must("status.get")).result.store.state).toBe("refusing");
    await locker.stop();
    await until(async () => (await auditOf(client, "panic")).length > 0, "the panic is in the audit", 8000);

    const { result } = await client.must("delegations.get", { id: waiting });
    expect(result.state).toBe("offered"); // the books that could not be read then tell of it only now
    expect((await client.must("audit.verify")).result).toMatchObject({ ok: true });
  });
});

describe("a panic", () => {
  it("takes the memory while the books cannot be written, and writes it down later", async ({ skip }) => {
    skip(process.getuid!() !== 0, "only root can mount a small disk: run the tests as root");
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=2m,mode=0700", "lendbuf-test", `${stage.folder}/state`]);
    stage.opened.push({ stop: () => void execFileSync("umount", ["-l", `${stage.folder}/state`]) });
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    const held = await hold(agent, "sim0/ch0");
    fillDisk();
    await until(
      async () => (await operator.ask("delegations.request", { buffer: "sim0/regs" })).error !== undefined,
      "grants are refused",
    );

    const summary = await panicked(operator);
    await held.readers.refused(20);
    const during = (await operator.must("delegations.get", { id: held.id })).result;
    rmSync(`${stage.folder}/state/ballast`);
    await until(async () => (await auditOf(operator, "panic")).length > 0, "the panic is in the audit", 8000);

    expect(summary).toMatchObject({ revoked: 1, remaining: 0, unfinished: [] });
    expect(during).toMatchObject({ state: "revoked", unrecorded: true });
  });

  it("tells what remains, and why, while a device does not answer; it is over when the device answers", async () => {
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    const held = await hold(agent, "sim0/ch0");
    const offered = (await operator.must("delegations.request", { buffer: "sim0/ch1" })).result.id;
    const warden = stopWarden(agent);

    const summary = await panicked(operator);
    const again = await panicked(operator, { device: "sim0" });
    warden.stop();
    await held.readers.refused(20);

    const account = `uid:${process.getuid!()}`;
    const waits = { id: held.id, buffer: "sim0/ch0", account, waitingFor: expect.stringContaining("not answered yet") };
    expect(summary).toMatchObject({ revoked: 0, cancelled: 1, remaining: 1, unfinished: [waits] });
    expect(again).toMatchObject({ revoked: 0, cancelled: 0, remaining: 1, unfinished: [waits] });
    expect((await operator.must("delegations.get", { id: offered })).result.state).toBe("cancelled");
    await until(
      async () => (await operator.must("delegations.get", { id: held.id })).result.state === "revoked",
      "the revoke is confirmed",
    );
  });

  it("by tag and by account ends theirs and nobody else's", async () => {
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    await define(operator, "lab/a", 0, ["bench-3"]);
    await define(operator, "lab/b", 1, ["bench-4", "loud"]);
    const a = await hold(agent, "lab/a");
    const b = await hold(agent, "lab/b");
    const theirs = (await operator.must("delegations.request", { buffer: "sim0/ch1", account: "uid:4711" })).result.id;
    const stateOf = async (id: number) => (await operator.must("delegations.get", { id })).result.state;

    const byTag = await panicked(operator, { tag: "bench-3" });
    await a.readers.refused(20);
    expect(byTag).toMatchObject({ revoked: 1, cancelled: 0, remaining: 0 });
    expect([await stateOf(b.id), await stateOf(theirs)]).toEqual(["active", "offered"]);

    const byAccount = await panicked(operator, { account: "uid:4711" });
    expect(byAccount).toMatchObject({ revoked: 0, cancelled: 1, remaining: 0 });
    expect([await stateOf(b.id), await stateOf(theirs)]).toEqual(["active", "cancelled"]);

    expect(await panicked(operator, { tag: "loud", account: "uid:4711" })).toMatchObject({ revoked: 0 });
    expect(await stateOf(b.id)).toBe("active");
    expect(await panicked(operator, { tag: "loud", device: "sim0" })).toMatchObject({ revoked: 1 });
  });

  it("refuses a device and a tag that nothing has, rather than find nothing to end", async () => {
    const operator = await newClient(await stage.newAgent());

    for (const input of [{ device: "sim1" }, { tag: "bench-9" }]) {
      const { error } = await operator.ask("delegations.revokeAll", input);
      expect(error).toMatchObject({
        data: { code: "NOT_FOUND" },
        message: expect.stringContaining("nothing was ended"),
      });
    }
  });

  it("ends a thousand in one row, and each is proven", async () => {
    const agent = await stage.newAgent({ args: ["--max-delegations", String(2 * MANY)] });
    const operator = await newClient(agent);
    await define(operator, "many", 0, [], "shared");
    const connection = await agent.connect();
    const leases = [];
    for (let i = 0; i < MANY; i++) leases.push(await connection.borrow({ buffer: "many", access: "read-only" }));

    const summary = await panicked(operator, { account: `uid:${process.getuid!()}` });

    expect(summary).toMatchObject({ revoked: MANY, cancelled: 0, remaining: 0 });
    for (const { delegation } of [leases[0]!, leases[MANY - 1]!])
      expect((await operator.must("delegations.get", { id: delegation.id })).result).toMatchObject({
        reason: "panic",
        proof: { probe: "size 0" },
      });
  });
});

async function define(client: ClientProcess, name: string, index: number, tags: string[], share = "exclusive") {
  const ranges = [{ offset: (4 << 20) + index * SIZE, length: SIZE }];
  await client.must("buffers.define", { name, device: "sim0", region: 2, ranges, share, tags });
}

function fillDisk(): void {
  try {
    for (;;) writeFileSync(`${stage.folder}/state/ballast`, Buffer.alloc(4096), { flag: "a" });
  } catch (cause) {
    expect((cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
  }
}

/** Whether the process has a handler of its own: before that the signal would end it. */
function handles(pid: number, signal: "SIGUSR1"): boolean {
  const number = { SIGUSR1: 10 }[signal];
  try {
    const caught = /^SigCgt:\s+(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))![1]!;
    return ((BigInt(`0x${caught}`) >> BigInt(number - 1)) & 1n) === 1n;
  } catch {
    return false;
  }
}

/** Of TCP, that this process listens on. */
function listeningPorts(pid: number): string[] {
  const inodes = new Set(
    readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
      try {
        return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? [];
      } catch {
        return []; // closed meanwhile
      }
    }),
  );
  const LISTEN = "0A";
  return ["tcp", "tcp6"].flatMap((table) =>
    readFileSync(`/proc/${pid}/net/${table}`, "utf8")
      .split("\n")
      .slice(1)
      .map((line) => line.trim().split(/\s+/))
      .filter((fields) => fields[3] === LISTEN && inodes.has(fields[9]!))
      .map((fields) => String(Number.parseInt(fields[1]!.split(":")[1]!, 16))),
  );
}

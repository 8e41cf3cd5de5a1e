// The library in a second process, against a real agent.
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, openFiles, ordinaryUser, startAgent, until } from "../../../apps/agent/test/harness.ts";
import { borrowCommand, Driver } from "./driver.ts";

const REGS = "sim0/regs";
const DDR = "sim0/ddr";

describe("a C program", () => {
  let agent: AgentProcess;
  let operator: Connection;

  beforeAll(async () => {
    agent = await startAgent();
    operator = await agent.connect();
  });

  afterAll(() => agent?.stop());

  async function connected(): Promise<Driver> {
    const driver = new Driver();
    await driver.must(`connect ${agent.socket}`);
    return driver;
  }

  const stateOf = async (id: number) => operator.call("delegations.get", { id });

  it("reads and writes the registers of a device in each width", async () => {
    await using driver = await connected();
    await driver.borrow(REGS);
    await driver.must("map 0");

    const loads = await Promise.all([8, 16, 32, 64].map((width) => driver.must(`load 0 ${width} 0`)));
    await driver.must("store 0 32 260 512");
    await until(async () => {
      const { values } = await operator.call("buffers.peek", { name: REGS, offset: 260 });
      return values[0] === "0x00000200";
    }, "the gain at the device");

    expect(loads).toEqual(["0x4c", "0x454c", "0x444e454c", "0x10000444e454c"]);
    await driver.must("store 0 32 260 256");
    await driver.must("store 0 8 2049 255");
    await driver.must("store 0 16 2050 258");
    await driver.must("store 0 64 2056 -2");
    expect(await driver.must("load 0 64 2048")).toBe("0x102ff00");
    expect(await driver.must("load 0 64 2056")).toBe("0xfffffffffffffffe");
  });

  it("leaves what it wrote to the next borrower, and has lost it when the release is confirmed", async () => {
    await using driver = await connected();
    await using next = await connected();
    const id = await driver.borrow(DDR, { purpose: 'say "hello"\t\\ äöü' });
    await driver.must("map 0");

    expect(await driver.must("copy 0 4094 hello, next")).toBe("hello, next");
    expect((await stateOf(id)).purpose).toBe('say "hello"\t\\ äöü');
    await driver.must("release 0");
    await next.borrow(DDR);
    await next.must("map 0");

    expect(await next.must("read 0 4094 11")).toBe("hello, next");
    expect(await driver.tell("load 0 32 0")).toMatch(/^EFAULT - The memory was taken back/);
    expect(await stateOf(id)).toMatchObject({ state: "revoked", reason: "released" });
  });

  it("survives that the memory is taken while it reads, and is told why", async () => {
    await using driver = await connected();
    const id = await driver.borrow("sim0/ch0", { access: "read-only" });
    await driver.must("map 0");
    await driver.must("follow 0");
    await driver.must("aside spin 0");

    await operator.call("delegations.revoke", { ids: [id] });

    expect(await driver.tell("join")).toMatch(/^EFAULT - /);
    expect(await driver.must("await revoked")).toBe(`${id} operator`);
    expect(await driver.must("event 5000")).toMatch(/^done /);
    expect(await driver.tell("store 0 32 0 1")).toMatch(/^EACCES - The memory was lent to be read only/);
    expect(await driver.tell("extend 0 1000")).toMatch(/^ESTALE ENDED /);
    await driver.must("release 0");
  });

  it("hears of the end of its lease before it comes, and after", async () => {
    await using driver = await connected();
    const id = await driver.borrow("sim0/ch1", { leaseMs: 1500 });
    await driver.must("map 0");
    await driver.must("follow 0");

    expect(await driver.must("event 5000")).toBe(`state ${id} active - 0 1 0`);
    expect(await driver.must("event 5000")).toBe(`state ${id} active expired 1 1 0`);
    expect(await driver.must("await revoked")).toBe(`${id} expired`);
    expect(await driver.tell("load 0 8 0")).toMatch(/^EFAULT/);
  });

  it("extends its lease, and is told where that cannot be", async () => {
    await using driver = await connected();
    const id = await driver.borrow(DDR, { leaseMs: 60_000 });
    const before = await stateOf(id);

    const end = Number(await driver.must("extend 0 60000"));

    expect(end - before.expiresAt!).toBe(60_000);
    expect(await driver.tell(`extend 0 ${30 * 24 * 3600_000}`)).toMatch(/^EDQUOT LIMIT /);
    expect(JSON.parse(await driver.must("record 0"))).toMatchObject({ id, leaseMs: 60_000, state: "active" });
  });

  it("is refused with a code, an errno and words", async () => {
    await using driver = await connected();
    await using other = await connected();
    await other.borrow(DDR);

    expect(await driver.tell(borrowCommand(DDR))).toMatch(/^EBUSY BUSY .*sim0\/ddr/);
    expect(await driver.tell(borrowCommand("sim0/nope"))).toMatch(/^ENOENT NOT_FOUND There is no buffer "sim0\/nope"/);
    expect(await driver.tell(borrowCommand(REGS, { leaseMs: -1 }))).toMatch(/^EINVAL BAD_INPUT .*leaseMs/);
    expect(await driver.tell("call delegations.steal")).toMatch(/^ENOSYS UNKNOWN_METHOD /);
    expect(await driver.tell("claim 4000")).toMatch(/^ENOENT NOT_FOUND /);
    await driver.must("call status.get");
  });

  it("waits in line, until its turn or no longer than it wants", async () => {
    await using driver = await connected();
    await using other = await connected();
    await other.borrow(DDR);

    expect(await driver.tell(borrowCommand(DDR, { waitMs: 50 }))).toMatch(/^ETIMEDOUT - .*within 50 ms.*given up/);
    expect((await operator.call("buffers.get", { name: DDR })).waiting).toBe(0);
    await driver.must(`aside ${borrowCommand(DDR, { waitMs: -1 })}`);
    await until(async () => (await operator.call("buffers.get", { name: DDR })).waiting === 1, "its place in line");
    await driver.must("call status.get"); // another thread of the same connection
    await other.must("release 0");

    expect(await driver.must("join")).toMatch(/^0 \d+ 8388608$/);
  });

  it("is woken by an event, also by one that came with an answer", async () => {
    await using driver = await connected();
    const id = await driver.borrow(DDR);
    await driver.must("follow 0");
    expect(await driver.must("event 5000")).toContain("active");
    expect(await driver.must("poll 0")).toBe("quiet");

    const ending = operator.call("delegations.revoke", { ids: [id], noticeMs: 60_000 });

    expect(await driver.must("poll 5000")).toBe("ready");
    await ending;
    await driver.must("call status.get"); // reads what came before its answer
    expect(await driver.must("poll 5000")).toBe("ready");
    expect(await driver.must("event 0")).toBe(`state ${id} active operator 1 1 0`);
    expect(await driver.must("poll 0")).toBe("quiet");
    expect(await driver.tell("event 0")).toMatch(/^EAGAIN/);
    expect(await driver.tell("extend 0 1000")).toMatch(/^EACCES NOT_ALLOWED /);
  });

  it("claims what was offered, and what it kept", async () => {
    await using driver = await connected();
    const offered = JSON.parse(await driver.must(`call delegations.request {"buffer":"${DDR}","keep":true}`));

    await driver.must(`claim ${offered.id}`);
    expect(await driver.tell(`claim ${offered.id}`)).toMatch(/^EALREADY ALREADY_CLAIMED /);
    await driver.must("map 0");
    await driver.must("copy 0 0 kept");
    await driver.must("leave 0");
    await driver.must("close");
    expect((await stateOf(offered.id)).state).toBe("active");
    await driver.must(`connect ${agent.socket}`);
    await driver.must(`claim ${offered.id}`);
    await driver.must("map 1");

    expect(await driver.must("read 1 0 4")).toBe("kept");
    expect(await driver.tell("load 0 8 0")).toMatch(/^EFAULT/);
    await driver.must("release 1");
  });

  it("shares what is only read", async () => {
    await using driver = await connected();
    await driver.borrow("sim0/ch2", { access: "read-only", share: "shared" });
    await driver.borrow("sim0/ch2", { access: "read-only", share: "shared" });

    expect(JSON.parse(await driver.must("record 1"))).toMatchObject({ access: "read-only", share: "shared" });
  });

  it("gives everything back when it closes the connection, and can go on with another", async () => {
    await using driver = await connected();
    const id = await driver.borrow(DDR);
    await driver.must("map 0");

    await driver.must("close");
    await until(async () => (await stateOf(id)).state === "revoked", "its end");

    expect((await stateOf(id)).reason).toBe("disconnected");
    expect(await driver.tell("load 0 8 0")).toMatch(/^EFAULT/);
    expect(await driver.tell("extend 0 1000")).toMatch(/^ESHUTDOWN - .*closed here/);
    await driver.must(`connect ${agent.socket}`);
    await driver.must("call status.get");
  });

  it("ends a wait from a signal handler", async () => {
    await using driver = await connected();
    await using other = await connected();
    await other.borrow(DDR);
    const waiting = driver.tell(borrowCommand(DDR, { waitMs: -1 }));
    await until(async () => (await operator.call("buffers.get", { name: DDR })).waiting === 1, "its place in line");

    driver.signal("SIGUSR1");

    expect(await waiting).toMatch(/^ESHUTDOWN - .*shut down here/);
    expect(await driver.tell("call status.get")).toMatch(/^ESHUTDOWN/);
  });

  it("leaks no descriptor over many borrows", async () => {
    await using driver = await connected();
    await driver.must(`churn 2 ${REGS}`);
    const before = openFiles(driver.pid);

    await driver.must(`churn 200 ${REGS}`);

    expect(openFiles(driver.pid)).toBe(before);
  });

  it("finds the agent where LENDBUF_SOCKET says, or says that nobody is there", async () => {
    await using told = new Driver({ env: { LENDBUF_SOCKET: agent.socket } });
    await using lost = new Driver({ env: { LENDBUF_SOCKET: `${dirname(agent.socket)}/nobody.sock` } });

    await told.must("connect");
    await told.must("call status.get");

    expect(await lost.tell("connect")).toMatch(/^ENOENT - No agent answers at .*nobody\.sock .*Start one/);
    expect(await lost.tell(`connect ${"x".repeat(200)}`)).toMatch(/^ENAMETOOLONG/);
  });
});

describe("a C program that the agent turns away", () => {
  it("is told why", async () => {
    await using agent = await startAgent({ args: ["--max-connections", "1"] });
    await using first = new Driver();
    await using second = new Driver();
    await first.must(`connect ${agent.socket}`);
    await first.must("call status.get");
    await second.must(`connect ${agent.socket}`);

    expect(await second.tell("call status.get")).toMatch(/^EDQUOT LIMIT /);
    expect(await second.tell("event 0")).toMatch(/^EDQUOT LIMIT /);
    await first.must("call status.get");
  });
});

const stranger = ordinaryUser().uid;

describe("a C program that finds a stranger's agent in a place that anybody can take", () => {
  it.skipIf(!stranger)(
    `turns away${stranger ? "" : " (skipped: run as root, in a checkout that other users may read)"}`,
    async () => {
      await using agent = await startAgent({ uid: stranger! });
      const runtime = mkdtempSync(join(tmpdir(), "lendbuf-c-"));
      mkdirSync(join(runtime, "lendbuf"));
      symlinkSync(agent.socket, join(runtime, "lendbuf/agent.sock"));
      for (const path of [runtime, dirname(agent.socket)]) chmodSync(path, 0o755);
      chmodSync(agent.socket, 0o666);
      await using driver = new Driver({ uid: 1000, env: { XDG_RUNTIME_DIR: runtime } });
      await using owner = new Driver({ uid: stranger!, env: { XDG_RUNTIME_DIR: runtime } });

      const refused = await driver.tell("connect");
      await owner.must("connect");
      rmSync(runtime, { recursive: true });

      expect(refused).toMatch(
        new RegExp(`^EPERM - Whoever answers at ${runtime}.* is uid ${stranger}, neither you nor`),
      );
      await driver.must(`connect ${agent.socket}`); // asked for by its path, it is trusted
    },
    60_000,
  );
});

describe("a C program whose agent is killed", () => {
  it("loses its memory and its calls, and goes on", async () => {
    await using agent = await startAgent();
    await using driver = new Driver();
    await using waiter = new Driver();
    await driver.must(`connect ${agent.socket}`);
    await waiter.must(`connect ${agent.socket}`);
    await driver.borrow(DDR);
    await driver.must("map 0");
    await driver.must("aside spin 0");
    const waiting = waiter.tell(borrowCommand(DDR, { waitMs: -1 }));
    const operator = await agent.connect();
    await until(async () => (await operator.call("buffers.get", { name: DDR })).waiting === 1, "a place in line");

    await agent.crash();

    expect(await driver.tell("join")).toMatch(/^EFAULT/);
    expect(await waiting).toMatch(/^ECONNRESET - .*the agent is gone/);
    expect(await driver.must("poll 5000")).toBe("ready");
    expect(await driver.tell("event 5000")).toMatch(/^ECONNRESET/);
    expect(await driver.tell("call status.get")).toMatch(/^ECONNRESET/);
    expect(await driver.tell("release 0")).toMatch(/^ECONNRESET/);
    expect(await driver.tell(`connect ${agent.socket}`)).toMatch(/^ECONNREFUSED - No agent answers/);
  });

  it("gives up on one that does not answer, where it was told how long to wait", async () => {
    await using agent = await startAgent();
    await using driver = new Driver();
    await driver.must(`connect ${agent.socket}`);
    agent.kill("SIGSTOP");
    await driver.must("timeout 50");

    const answers = [await driver.tell("call status.get"), await driver.tell(borrowCommand(DDR))];
    await driver.must("timeout -1");
    agent.kill("SIGCONT");
    await driver.must("call status.get");

    expect(answers).toEqual([expect.stringMatching(/^ETIMEDOUT/), expect.stringMatching(/^ETIMEDOUT/)]);
    await until(async () => {
      const { items } = JSON.parse(await driver.must('call delegations.list {"all":true,"states":["revoked"]}'));
      return items[0]?.reason === "released";
    }, "what was granted too late is given back");
  });
});

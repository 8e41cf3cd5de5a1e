// The library while its agent is replaced by another, which takes over what it had lent.
import { join } from "node:path";
import { connect } from "@lendbuf/client/connect";
import { afterEach, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder } from "../../../apps/agent/test/harness.ts";
import { Driver } from "./driver.ts";

const DDR = "sim0/ddr";

let agent: AgentProcess | undefined;
const folder = temporaryFolder();
const socket = join(folder, "agent.sock");

afterEach(async () => {
  agent?.kill("SIGINT");
  await agent?.stop();
});

async function start(adoptTime: string): Promise<void> {
  agent = await startAgent({ state: join(folder, "state"), socket, args: ["--adopt-time", adoptTime] });
}

async function connected(): Promise<Driver> {
  const driver = new Driver();
  await driver.must(`connect ${socket}`);
  return driver;
}

describe("a C program whose agent is killed", () => {
  it("goes on with what it borrowed once it has taken it up at the next one", async () => {
    await start("60s");
    await using driver = await connected();
    const id = await driver.borrow(DDR);
    await driver.borrow("sim0/ch1", { access: "read-only" });
    await driver.must("map 0");
    await driver.must("copy 0 64 before");
    expect(await driver.must("resume 0")).toBe(""); // nothing is lost yet

    for (const text of ["first", "second"]) {
      await agent!.crash();
      expect(await driver.must("poll 5000")).toBe("ready");
      expect(await driver.tell("event 0")).toMatch(/^ECONNRESET - /);
      expect(await driver.must("read 0 64 6")).toBe("before");
      await driver.must(`copy 0 128 ${text}`);
      const resuming = driver.must("resume -1");
      await start("60s");
      await resuming;
      expect(await driver.must("read 0 64 6")).toBe("before");
      expect(await driver.must(`read 0 128 ${text.length}`)).toBe(text);
    }

    using operator = await connect({ path: socket });
    expect((await operator.call("delegations.list")).items.map(({ state }) => state)).toEqual(["active", "active"]);
    await driver.must("follow 0");
    await driver.must("extend 0 60000");
    await operator.call("delegations.revoke", { ids: [id] });
    expect(await driver.must("await revoked")).toBe(`${id} operator`);
    expect(await driver.tell("load 0 32 0")).toMatch(/^EFAULT - /);
    await driver.must("release 1");
  });

  it("hears that a lease has ended meanwhile, and keeps the others", async () => {
    await start("60s");
    await using driver = await connected();
    await driver.borrow(DDR, { leaseMs: 1000 });
    await driver.borrow("sim0/ch1");
    await driver.must("map 0");
    await driver.must("map 1");

    await agent!.crash();
    while ((await driver.tell("load 0 8 0")).startsWith("ok")) await new Promise((resolve) => setTimeout(resolve, 50));
    await start("60s");
    await driver.must("resume 20000");

    expect(await driver.tell("extend 0 1000")).toMatch(/^ESTALE ENDED /);
    await driver.must("extend 1 1000");
    await driver.must("load 1 8 0");
  });

  it("is told that nothing outlives an agent without --adopt-time, and that none came in time", async () => {
    await start("off");
    await using plain = await connected();
    await plain.borrow(DDR);
    await agent!.crash();
    expect(await plain.tell("resume -1")).toMatch(/^ECONNRESET - .*the agent is gone/);

    await start("60s");
    await using driver = await connected();
    await driver.borrow("sim0/ch1");
    await agent!.crash();
    expect(await driver.tell("resume 100")).toMatch(/^ECONNRESET - .*the agent is gone/);
    await driver.must("shutdown");
    expect(await driver.tell("resume -1")).toMatch(/^E(SHUTDOWN|CONNRESET) - /);
    await start("60s");
  });
});

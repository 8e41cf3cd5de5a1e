// A command that runs with lent memory while its agent is replaced.
import { join } from "node:path";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder } from "../../agent/test/harness.ts";
import { holderCommand } from "./holder-command.ts";
import { type Running, run, start } from "./lendbuf.ts";

let holder: Awaited<ReturnType<typeof holderCommand>>;
let agent: AgentProcess;
const folder = temporaryFolder();
const socket = join(folder, "agent.sock");
const env = { LENDBUF_SOCKET: socket };

async function startOver(adoptTime: string): Promise<void> {
  agent = await startAgent({ state: join(folder, "state"), socket, args: ["--adopt-time", adoptTime] });
}

async function liveOf(buffer: string): Promise<Delegation[]> {
  const { stdout } = await run(["delegations", "--buffer", buffer, "--json"], { env });
  return (JSON.parse(stdout) as { items: Delegation[] }).items;
}

async function exitWith(running: Running, code: number) {
  running.type(`exit ${code}`);
  return running.ended;
}

beforeAll(async () => {
  holder = await holderCommand();
});
afterEach(async () => {
  agent.kill("SIGINT");
  await agent.stop();
});
afterAll(() => holder.remove());

const exec = (buffer: string) => start(["exec", buffer, "--", ...holder.words], { env });

describe("a command under lendbuf exec", () => {
  it("keeps its memory while the agent is killed and another takes over, and gives it back to that one", async () => {
    await startOver("60s");
    const running = exec("sim0/ddr");
    running.type("write 4096 hello");
    await running.sees(/write: done/);
    const [before] = await liveOf("sim0/ddr");

    await agent.crash();
    running.type("write 4096 there");
    await running.sees(/write: done[^]*write: done/);
    await startOver("60s");
    running.type("read 4096 5");
    await running.sees(/read: there/);

    expect(await liveOf("sim0/ddr")).toMatchObject([{ id: before!.id, state: "active" }]);
    const { code, stderr } = await exitWith(running, 3);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(await liveOf("sim0/ddr")).toEqual([]);
    const { stdout } = await run(["delegations", "get", String(before!.id), "--json"], { env });
    expect(JSON.parse(stdout)).toMatchObject({ state: "revoked", reason: "released" });
  });

  it("hears that it lost its memory where no agent comes in time, and goes on without it", async () => {
    await startOver("1s");
    const running = exec("sim0/ddr");
    running.type("write 4096 hello");
    await running.sees(/write: done/);

    await agent.crash();
    await running.sees(/The agent went away/);
    running.type("read 4096 5");

    await running.sees(/read: (?!hello)/);
    expect((await exitWith(running, 0)).code).toBe(0);
  });
});

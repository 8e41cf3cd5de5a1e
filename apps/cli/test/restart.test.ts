// A command that runs with lent memory while its agent is replaced.
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { holderCommand } from "./holder-command.ts";
import { type Running, TestAgent } from "./lendbuf.ts";

let holder: Awaited<ReturnType<typeof holderCommand>>;
let agent: TestAgent;

async function liveOf(buffer: string): Promise<Delegation[]> {
  return (await agent.json<{ items: Delegation[] }>("delegations", "--buffer", buffer)).items;
}

async function exitWith(running: Running, code: number) {
  running.type(`exit ${code}`);
  return running.ended;
}

beforeAll(async () => {
  holder = await holderCommand();
});
afterEach(async () => {
  await agent.endAll();
  await agent[Symbol.asyncDispose]();
});
afterAll(() => holder.remove());

const exec = (buffer: string) => agent.start("exec", buffer, "--", ...holder.words);

describe("a command under lendbuf exec", () => {
  it("keeps its memory while the agent is killed and another takes over, and gives it back to that one", async () => {
    agent = await TestAgent.start("--adopt-time", "20s");
    const running = exec("sim0/ddr");
    running.type("write 4096 hello");
    await running.sees(/write: done/);
    const [before] = await liveOf("sim0/ddr");

    await agent.kill();
    running.type("write 4096 there");
    await running.sees(/write: done\s+write: done/);
    await agent.follow();
    running.type("read 4096 5");
    await running.sees(/read: there/);

    expect(await liveOf("sim0/ddr")).toMatchObject([{ id: before!.id, state: "active" }]);
    const { code, stderr } = await exitWith(running, 3);
    expect({ code, stderr }).toEqual({ code: 3, stderr: "" });
    expect(await liveOf("sim0/ddr")).toEqual([]);
    const ended = await agent.json("delegations", "get", String(before!.id));
    expect(ended).toMatchObject({ state: "revoked", reason: "released" });
  });

  it("hears that it lost its memory where no agent comes in time, and goes on without it", async () => {
    agent = await TestAgent.start("--adopt-time", "1s");
    const running = exec("sim0/ddr");
    running.type("write 4096 hello");
    await running.sees(/write: done/);

    await agent.kill();
    await running.sees(/The agent went away/);
    running.type("read 4096 5");

    await running.sees(/read: (?!hello)/);
    expect((await exitWith(running, 0)).code).toBe(0);
  });
});

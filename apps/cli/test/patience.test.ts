import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

describe("an agent that does not answer", () => {
  it("is waited for visibly on a terminal, and the line goes when it answers", async () => {
    agent.child.kill("SIGSTOP");
    const waiting = agent.startOnTerminal("buffers");
    await waiting.sees(/Waiting for the agent \(buffers\.list\), 1s/);

    agent.child.kill("SIGCONT");
    const { stdout, code } = await waiting.ended;

    expect(stdout).toContain("…\r\x1b[K\x1b[2mBUFFER");
    expect(code).toBe(0);
  });

  it.each([[["status"]], [["watch"]], [["exec", "sim0/ch0", "--", "echo", "ran"]], [["revoke", "--all", "--yes"]]])(
    "%s: --timeout gives up, with 124",
    async (args) => {
      agent.child.kill("SIGSTOP");

      const { stdout, stderr, code } = await agent.run("--timeout", "300ms", ...args);
      agent.child.kill("SIGCONT");

      expect(stderr).toBe("lendbuf: It took longer than 300ms (--timeout).\n");
      expect([stdout, code]).toEqual(["", 124]);
    },
  );
});

describe("--timeout", () => {
  it("gives a place in line up", async () => {
    const first = agent.start("exec", "sim0/ch0", "--", "sh", "-c", "echo ready; read -r _");
    await first.sees(/ready/);

    const second = await agent.run("exec", "sim0/ch0", "--wait", "--timeout", "500ms", "--", "echo", "ran");
    const { total } = await agent.json<{ total: number }>("delegations");
    first.child.stdin!.end();

    expect(second).toMatchObject({ code: 124, stdout: "" });
    expect(total).toBe(1);
    expect((await first.ended).code).toBe(1);
  });

  it("is not for how long a command has the memory", async () => {
    const { stdout, code } = await agent.run(
      "exec",
      "sim0/ch0",
      "--timeout",
      "700ms",
      "--",
      "sh",
      "-c",
      "sleep 1; echo done",
    );

    expect([stdout, code]).toEqual(["done\n", 0]);
  });

  it("ends what goes on", async () => {
    const { code, stdout } = await agent.run("watch", "--json", "--timeout", "600ms");

    expect(stdout).toContain('"total":0');
    expect(code).toBe(124);
  });
});

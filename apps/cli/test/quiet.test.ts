import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { TestAgent } from "./lendbuf.ts";

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

describe("--quiet", () => {
  it("prints of what is made only what names it, and nothing of what was done", async () => {
    const made = await agent.run("delegate", "sim0/ch0", "--quiet");
    const id = made.stdout.trim();
    const released = await agent.run("--quiet", "release", id);
    const revoked = await agent.run("revoke", "--all", "--yes", "--quiet");

    expect(made.stdout).toMatch(/^\d+\n$/);
    expect(released).toEqual({ code: 0, stdout: "", stderr: "" });
    expect(revoked).toEqual({ code: 0, stdout: "", stderr: "" });
    expect((await agent.run("token", "create", "x", "--quiet")).stdout).toMatch(/^lendbuf_\S+\n$/);
  });

  it("still prints what was asked for, and errors", async () => {
    const buffers = await agent.run("buffers", "--quiet");
    const refused = await agent.run("undefine", "sim0/ch0", "--quiet");

    expect(buffers.stdout).toContain("sim0/ch0");
    expect(refused).toMatchObject({ code: 3, stdout: "", stderr: expect.stringMatching(/^lendbuf: /) });
  });

  it("keeps exec from telling what happens meanwhile", async () => {
    const running = agent.start("exec", "sim0/ch0", "--quiet", "--", "sh", "-c", "echo ready; read -r _");
    await running.sees(/ready/);

    await agent.run("revoke", "--all", "--yes");
    running.type("go on");

    expect(await running.ended).toEqual({ code: 0, stdout: "ready\n", stderr: "" });
  });

  it("with claim prints the path alone", async () => {
    const id = (await agent.run("delegate", "sim0/ch0", "--quiet")).stdout.trim();
    const holder = agent.start("claim", id, "--quiet");
    await holder.sees(/\n/);
    holder.child.kill("SIGINT");

    expect((await holder.ended).stdout).toMatch(/^\/proc\/\d+\/fd\/\d+\n$/);
  });
});

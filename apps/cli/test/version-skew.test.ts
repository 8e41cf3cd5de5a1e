import { randomUUID } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import pkg from "../package.json" with { type: "json" };
import { AGENT, TestAgent } from "./lendbuf.ts";

/** The agent's build with another version, and a procedure under another name. It lies as deep as the build, from where it finds its parts. */
async function agentOf(version: string) {
  const main = fileURLToPath(
    new URL(`../../../node_modules/.cache/cli-test/agent-${randomUUID()}.js`, import.meta.url),
  );
  const text = readFileSync(AGENT, "utf8");
  const changed = text
    .replaceAll(`= true ? "${pkg.version}" :`, `= true ? "${version}" :`)
    .replace(/\bme: (\w+\("sessions\.me"\))/, "self: $1");
  expect(changed.length - text.length).toBe(2 + version.length - pkg.version.length);
  mkdirSync(dirname(main), { recursive: true });
  writeFileSync(main, changed);
  const agent = await TestAgent.startFrom(main);
  return {
    agent,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      rmSync(main);
    },
  };
}

describe("an agent that does not know a method", () => {
  it.each([
    ["older", "0.0.9", /The agent is 0\.0\.9, older than this lendbuf .* restart the agent/],
    ["newer", "12.0.0", /The agent is 12\.0\.0, newer than this lendbuf .* update lendbuf/],
  ])("and is %s: the refusal says so", async (_name, version, said) => {
    await using other = await agentOf(version);

    const { stderr, code } = await other.agent.run("whoami");

    expect(stderr).toMatch(said);
    expect(code).toBe(2);
    expect((await other.agent.run("status")).code).toBe(0);
  });

  it("and is of our version: it does not", async () => {
    await using other = await agentOf(pkg.version);

    const { stderr } = await other.agent.run("whoami");

    expect(stderr).not.toContain("The agent is");
    expect(stderr.split("\n")).toHaveLength(2);
  });
});

// The programs in examples/, as their first lines say they are started.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Running, TestAgent } from "./lendbuf.ts";

const EXAMPLES = fileURLToPath(new URL("../../../examples/", import.meta.url));
const PLOT = [process.execPath, join(EXAMPLES, "plot-channel/dist/plot.js")];
const hasCompiler = spawnSync("cc", ["--version"]).status === 0;

let agent: TestAgent;

beforeAll(async () => {
  agent = await TestAgent.start();
});
afterEach(() => agent.clear());
afterAll(() => agent[Symbol.asyncDispose]());

function plotAlone(...args: string[]): Running {
  const [node, ...words] = [...PLOT, ...args];
  return new Running(spawn(node!, words, { env: { ...process.env, LENDBUF_SOCKET: agent.socket, COLUMNS: "60" } }));
}

describe("plot-channel", () => {
  it("draws what lendbuf exec lends it", async () => {
    const { code, stdout } = await agent.run("exec", "sim0/ch0", "--read-only", "--", ...PLOT, "--frames", "2");

    const frames = stdout.trimEnd().split("\n\n");
    expect(code).toBe(0);
    expect(frames).toHaveLength(2);
    expect(frames[0]).toMatch(/^sim0\/ch0: 1000 samples, -\d+ to \d+\n/);
    expect(frames[0]!.split("\n")).toHaveLength(13);
  });

  it("borrows by itself, and gives back what it borrowed", async () => {
    const { code, stdout } = await plotAlone("sim0/ch1", "--frames", "1").ended;

    expect(stdout).toMatch(/^sim0\/ch1: /);
    expect(code).toBe(0);
    expect((await agent.run("audit", "-n", "1")).stdout).toMatch(/revoked +\d+ +sim0\/ch1 .* revoked, released$/m);
  });

  it("says that it was cut off, and why, and exits with 3", async () => {
    const plot = plotAlone("sim0/ch3");
    await plot.sees(/sim0\/ch3: /);

    await agent.clear();
    const { code, stderr } = await plot.ended;

    expect(stderr).toMatch(
      /^The memory of sim0\/ch3 was taken back after [\d.]+ s \(revoked: panic, confirmed by ftruncate, size 0\)\.$/m,
    );
    expect(code).toBe(3);
  });

  it.each([
    [["nope"], 1, /There is no buffer "nope"/],
    [["--frames", "x"], 2, /usage/],
  ])("%j is refused in one line", async (args, expected, said) => {
    const { code, stderr } = await plotAlone(...args).ended;

    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
    expect(stderr).toMatch(said);
    expect(code).toBe(expected);
  });
});

describe.skipIf(!hasCompiler)("peek.c (needs cc: apt-get install gcc)", () => {
  it("reads the memory, and survives that it is taken back", async () => {
    const directory = mkdtempSync(join(tmpdir(), "lendbuf-peek-"));
    const peek = join(directory, "peek");
    const compiled = spawnSync("cc", ["-O2", "-Wall", "-Werror", "-o", peek, join(EXAMPLES, "c/peek.c")]);
    expect(String(compiled.stderr)).toBe("");
    const running = agent.start("exec", "sim0/ch0", "--read-only", "--", peek, "1000");
    await running.sees(/1048576 bytes, sum \d+/);

    await agent.clear();
    const { code, stderr } = await running.ended;

    expect(stderr).toContain("The memory was taken back.");
    expect(code).toBe(3);
    rmSync(directory, { recursive: true });
  });
});

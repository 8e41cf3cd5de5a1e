// Programs that print their own cases.
import { spawnSync } from "node:child_process";
import { rmSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startAgent, temporaryFolder } from "../../../apps/agent/test/harness.ts";
import { made, sanitized } from "./built.ts";

/** ThreadSanitizer finds no room for its shadow where the kernel spreads mappings over more bits than it expects. */
const UNSPREAD = ["setarch", "-R"];

function casesOf(program: string, ...args: string[]) {
  // Its handler would come before the ones whose order is tried.
  const env = { ...process.env, ASAN_OPTIONS: "handle_sigbus=0" };
  const { stdout, stderr, status } = spawnSync(sanitized(program), args, { encoding: "utf8", env });
  const lines = stdout.split("\n").filter(Boolean);
  const cases = lines.map((line) => /^(?<ok>ok|not ok) (?<name>[^:]*)/.exec(line)!.groups!);
  return { cases: cases.map(({ ok, name }, i) => ({ name: name!, ok: ok === "ok", line: lines[i] })), stderr, status };
}

function casesInFolder(program: string) {
  const folder = temporaryFolder();
  try {
    return casesOf(program, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

describe.each([
  { what: "guarded access", ...casesOf("guard", `${made("plain", ["all"])}/liblendbuf.so`) },
  { what: "an agent that sends what it should not:", ...casesInFolder("hostile") },
])("$what", ({ cases, stderr, status }) => {
  it.each(cases)("$name", ({ ok, line }) => {
    expect(ok, line).toBe(true);
  });

  it("has cases, ends well, and the sanitizers have nothing to report", () => {
    expect(cases.length).toBeGreaterThan(10);
    expect({ stderr, status }).toEqual({ stderr: "", status: 0 });
  });
});

describe("many threads on one connection", () => {
  it("each get their own answers, and ThreadSanitizer has nothing to report", async () => {
    await using agent = await startAgent();
    const program = `${made("threads", ["build/threads/threads"])}/threads`;
    const buffers = ["ch0", "ch1", "ch2", "ch3", "ddr", "regs"].map((name) => `sim0/${name}`);

    const run = spawnSync(UNSPREAD[0]!, [...UNSPREAD.slice(1), program, agent.socket, ...buffers], {
      encoding: "utf8",
      timeout: 60_000,
    });

    expect(run).toMatchObject({ stderr: "", stdout: "120 ends\n", status: 0 });
  });
});

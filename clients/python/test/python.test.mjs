// Runs the Python tests, each of which is a case here.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { isHere } from "../../../scripts/requirements.mjs";

const RUN = fileURLToPath(new URL("run.py", import.meta.url));
const TIMEOUT_MS = 120_000;
const MISSING =
  "python3 is missing: sudo apt-get install python3, then: python3 -m unittest discover -s clients/python/test";

// Run while the tests are collected, for they name themselves.
const report = isHere({ command: "python3" }) ? await run() : undefined;

describe("the Python client", () => {
  if (!report) return it("passes its tests", ({ skip }) => skip(MISSING));

  for (const { name, ok, why, skip: reason } of report.cases) {
    it(name, ({ skip }) => {
      if (reason) skip(reason);
      expect(ok, why).toBe(true);
    });
  }

  it("runs all its tests, and nothing around them fails", () => {
    expect(report.end, report.said).toEqual({ ran: report.cases.length, failed: 0 });
    expect(report.code, report.said).toBe(0);
  });
});

/** `cases` as run.py names them, `end` its last line, `code` what it exited with, `said` whatever else it wrote. */
async function run() {
  const child = spawn("python3", ["-W", "error::ResourceWarning", "-B", RUN], {
    env: { ...process.env, LENDBUF_TEST_NODE: process.execPath },
    stdio: ["ignore", "pipe", "pipe"],
    timeout: TIMEOUT_MS,
    killSignal: "SIGKILL",
  });
  let output = "";
  let said = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (said += text));
  const code = await new Promise((resolve) => child.once("close", resolve));
  const lines = output.trim().split("\n");
  const json = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  return { cases: json.filter(({ name }) => name), end: json.find(({ ran }) => ran !== undefined), code, said };
}

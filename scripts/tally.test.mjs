import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, it } from "vitest";
import { countLine, isSuccess } from "./tally.mjs";

const VITEST = fileURLToPath(new URL("../node_modules/.bin/vitest", import.meta.url));
const REPORTER = fileURLToPath(new URL("test-report.mjs", import.meta.url));

const made = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** What the reporter writes about a run of these files. */
function reportOf(files) {
  const root = mkdtempSync(join(tmpdir(), "lendbuf-tally-"));
  made.push(root);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(root, name), text);
  const report = join(root, "report.json");
  const { VITEST_POOL_ID, VITEST_WORKER_ID, VITEST: _, ...environment } = process.env;
  spawnSync(VITEST, ["run", "--root", root, "--globals", `--reporter=${REPORTER}`], {
    env: { ...environment, LENDBUF_TEST_REPORT: report },
  });
  return JSON.parse(readFileSync(report, "utf8"));
}

describe("the last line", () => {
  it("counts what passed and failed, and what was skipped where some were", () => {
    expect(countLine({ passed: 12, failed: 0, skipped: 0 })).toBe("12 passed, 0 failed");
    expect(countLine({ passed: 12, failed: 1, skipped: 3 })).toBe("12 passed, 1 failed, 3 skipped");
  });

  it("is a success only where something ran and nothing failed", () => {
    expect(isSuccess({ passed: 1, failed: 0 })).toBe(true);
    expect(isSuccess({ passed: 1, failed: 1 })).toBe(false);
    expect(isSuccess({ passed: 0, failed: 0 })).toBe(false);
  });
});

describe("the report of the suites", () => {
  it("tells tests, crashes and the reasons of skips apart", () => {
    const report = reportOf({
      "tests.test.js": `
        it("passes", () => {});
        it("fails", () => { throw new Error("no"); });
        it("is skipped", ({ skip }) => skip("no device here"));
      `,
      "broken.test.js": "throw new Error('does not load');",
      "loose.test.js":
        'it("passes", () => { setTimeout(() => { throw new Error("nobody awaits me"); }, 0); return new Promise((r) => setTimeout(r, 50)); });',
    });

    expect(report).toMatchObject({ passed: 2, failed: 1, crashes: 2, finished: true });
    expect(report.skipped).toEqual([expect.objectContaining({ name: "is skipped", reason: "no device here" })]);
  });
});

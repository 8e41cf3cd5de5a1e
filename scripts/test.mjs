// npm test: every check and every suite, from a bare checkout. The last line counts them all.
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isPrepared } from "../lab/prepare.mjs";
import { build, install, say } from "./bootstrap.mjs";
import { canInstallPackages, isHere, LAB_TOOLS, requireNode, requireTools, TEST_TOOLS } from "./requirements.mjs";
import { runCheck, staticChecks } from "./static-checks.mjs";
import { ROOT, runStep } from "./step.mjs";
import { countLine, isSuccess } from "./tally.mjs";

const SUITES_TIMEOUT_MS = 30 * 60_000;
const PACKAGES_TIMEOUT_MS = 10 * 60_000;
const LAB_TIMEOUT_MS = 30 * 60_000; // with the suites and the rest it fits into 90 minutes
const REPORT = join(ROOT, ".cache/test-report.json");

const filters = process.argv.slice(2);
const tally = { passed: 0, failed: 0, skipped: 0 };

try {
  await prepare();
  if (filters.length === 0) await checkSources();
  else console.log("Static checks: left out, as tests were picked. They are: npm run check");
  await build();
  if (filters.length === 0 || filters.some((filter) => filter.includes("lab"))) await prepareLab();
  await runSuites();
} catch (error) {
  tally.failed++;
  say(error.name === "Error" ? error.message : String(error.stack));
}
console.log(countLine(tally));
process.exit(isSuccess(tally) ? 0 : 1);

async function prepare() {
  requireNode();
  await bringTestTools();
  requireTools();
  await install();
}

/** What is still missing afterwards is named by the checks and tests that are skipped for it. */
async function bringTestTools() {
  const missing = [...TEST_TOOLS, ...LAB_TOOLS].filter((tool) => !isHere(tool));
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  for (const tool of missing) say(`${tool.command ?? tool.header} is missing: ${tool.why}.`);
  if (!canInstallPackages()) return say(`To run what needs it: sudo apt-get install ${packages.join(" ")}`);
  say(`Installing ${packages.join(", ")}…`);
  const script = 'apt-get update -q && apt-get install -qy --no-install-recommends "$@"';
  const step = await runStep("apt-get", ["sh", "-c", script, "sh", ...packages], {
    timeoutMs: PACKAGES_TIMEOUT_MS,
    env: { DEBIAN_FRONTEND: "noninteractive" },
  });
  if (!step.ok) say(`apt-get ${step.problem}, so what needs ${packages.join(", ")} is skipped. See ${step.logFile}`);
}

/** What cannot be had is named by the tests that are skipped for it. */
async function prepareLab() {
  if (isPrepared()) return;
  const command = [process.execPath, join(ROOT, "lab/prepare.mjs")];
  const step = await runStep("lab", command, { timeoutMs: LAB_TIMEOUT_MS, show: true });
  if (!step.ok) say(`The lab machine cannot be prepared: lab/prepare.mjs ${step.problem}.`);
}

async function checkSources() {
  for (const check of staticChecks()) tally[await runCheck(check)]++;
}

async function runSuites() {
  mkdirSync(join(ROOT, ".cache"), { recursive: true });
  rmSync(REPORT, { force: true });
  const reporters = ["--reporter=default", `--reporter=${join(ROOT, "scripts/test-report.mjs")}`];
  const step = await runStep("vitest", [join(ROOT, "node_modules/.bin/vitest"), "run", ...reporters, ...filters], {
    timeoutMs: SUITES_TIMEOUT_MS,
    env: { LENDBUF_TEST_REPORT: REPORT },
    show: true,
  });
  addReport(step);
}

function addReport(step) {
  const report = readReport();
  tally.passed += report.passed;
  tally.failed += report.failed + report.crashes;
  tally.skipped += report.skipped.length;
  for (const { file, name, reason } of report.skipped) {
    console.log(`- skipped: ${file}: ${name}${reason ? ` (${reason})` : ""}`);
  }
  // It failed, and no test says why: it crashed, hung, or found no test.
  if (!step.ok && report.failed + report.crashes === 0) tally.failed++;
  if (!step.ok) say(`vitest ${step.problem}.`);
}

function readReport() {
  try {
    return JSON.parse(readFileSync(REPORT, "utf8"));
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
    return { passed: 0, failed: 0, crashes: 0, skipped: [] };
  }
}

// The checks that read the sources and run nothing of them.
import { join } from "node:path";
import { whyNot } from "./cpp-format.mjs";
import { isHere } from "./requirements.mjs";
import { ROOT, runStep, tail } from "./step.mjs";

const TIMEOUT_MS = 5 * 60_000;
const BIN = join(ROOT, "node_modules/.bin");
const FORMAT = "npm run format";
const CONTRACT = "../contract/programs/python.py";

/** `skip` is the reason why a check cannot be made here, `advice` a command that may mend what it finds. */
export function staticChecks() {
  return [
    { name: "format and lint", command: [join(BIN, "biome"), "check", "--error-on-warnings", "."], advice: FORMAT },
    { name: "types", command: [join(BIN, "tsc"), "--noEmit", "--pretty", "false"] },
    { name: "types of the dashboard", command: [join(BIN, "tsc"), "--noEmit", "--pretty", "false", "-p", "apps/web"] },
    {
      name: "types of the dashboard's tests",
      command: [join(BIN, "tsc"), "--noEmit", "--pretty", "false", "-p", "apps/web/test"],
    },
    { name: "import directions", command: script("check-imports.mjs") },
    { name: "lock file", command: script("check-lock.mjs") },
    { name: "file hygiene", command: script("check-hygiene.mjs") },
    {
      name: "types of the Python client",
      command: ["mypy", "--config-file", "pyproject.toml", "lendbuf", "build_backend.py", "examples", CONTRACT],
      cwd: join(ROOT, "clients/python"),
      skip: isHere({ command: "mypy" }) ? undefined : "mypy is missing. To run it: sudo apt-get install mypy",
    },
    { name: "C++ format", command: script("cpp-format.mjs"), skip: whyNot(), advice: FORMAT },
  ];
}

/** Runs one and says how it went; answers "passed", "failed" or "skipped". */
export async function runCheck({ name, command, cwd, skip, advice }) {
  if (skip) {
    console.log(`- ${name}: skipped. ${skip}`);
    return "skipped";
  }
  const step = await runStep(name, command, { timeoutMs: TIMEOUT_MS, cwd });
  if (step.ok) {
    console.log(`✓ ${name} (${step.seconds.toFixed(1)} s)`);
    return "passed";
  }
  console.log(`✗ ${name}: ${step.problem}${advice ? `. This may mend it: ${advice}` : ""}\n${tail(step.log, 200)}\n`);
  return "failed";
}

function script(name) {
  return [process.execPath, join(ROOT, "scripts", name)];
}

// The checks that read the sources and run nothing of them.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { findCommand } from "./requirements.mjs";
import { ROOT, runStep, tail } from "./step.mjs";

const TIMEOUT_MS = 5 * 60_000;
const BIN = join(ROOT, "node_modules/.bin");
// Each major version formats a little differently; Debian 12 has this one.
const CLANG_FORMAT_MAJOR = "14";
const CPP = /\.(cc|c|h)$/;

/** A check has a command, or `skip`, the reason why it has none here. */
export function staticChecks() {
  return [
    {
      name: "format and lint",
      command: [join(BIN, "biome"), "check", "--error-on-warnings", "."],
      advice: "npm run format",
    },
    { name: "types", command: [join(BIN, "tsc"), "--noEmit", "--pretty", "false"] },
    { name: "import directions", command: script("check-imports.mjs") },
    { name: "lock file", command: script("check-lock.mjs") },
    { name: "file hygiene", command: script("check-hygiene.mjs") },
    { name: "C++ format", ...cppFormat(), advice: "npm run format" },
  ];
}

/** Runs one and says how it went; answers "passed", "failed" or "skipped". */
export async function runCheck({ name, command, skip, advice }) {
  if (skip) {
    console.log(`- ${name}: skipped. ${skip}`);
    return "skipped";
  }
  const step = await runStep(name, command, { timeoutMs: TIMEOUT_MS });
  if (step.ok) {
    console.log(`✓ ${name} (${step.seconds.toFixed(1)} s)`);
    return "passed";
  }
  console.log(`✗ ${name}: ${step.problem}${advice ? `. This may mend it: ${advice}` : ""}\n${tail(step.log, 200)}\n`);
  return "failed";
}

export function cppFiles() {
  const folders = ["packages/native/src", "clients", "bench", "lab"];
  return folders.flatMap((folder) => listFiles(join(ROOT, folder))).filter((file) => CPP.test(file));
}

/** How to format the C++ here, or why not. */
export function cppFormat(mode = ["--dry-run", "--Werror"]) {
  const clangFormat = findCommand(`clang-format-${CLANG_FORMAT_MAJOR}`) ?? findCommand("clang-format");
  if (!clangFormat) return { skip: "clang-format is missing. Install it: sudo apt-get install clang-format" };
  const version = spawnSync(clangFormat, ["--version"], { encoding: "utf8" }).stdout.match(/version (\d+)/)?.[1];
  if (version !== CLANG_FORMAT_MAJOR) {
    return {
      skip: `clang-format is ${version} here, and ${CLANG_FORMAT_MAJOR}, which formats differently, is what counts.`,
    };
  }
  return { command: [clangFormat, ...mode, ...cppFiles()] };
}

function script(name) {
  return [process.execPath, join(ROOT, "scripts", name)];
}

function listFiles(folder) {
  let entries;
  try {
    entries = readdirSync(folder, { withFileTypes: true });
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
  return entries.flatMap((entry) => {
    if (["node_modules", "build", "dist"].includes(entry.name)) return [];
    const path = join(folder, entry.name);
    return entry.isDirectory() ? listFiles(path) : [path];
  });
}

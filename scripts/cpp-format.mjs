// The format of the C and C++: checks it, or with --write makes it so.
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { findCommand } from "./requirements.mjs";

// Each major version formats a little differently; Debian 12 has this one.
const MAJOR = "14";
const FOLDERS = ["bench", "clients", "examples", "lab", "packages"];
const SKIPPED_FOLDERS = new Set(["build", "dist", "node_modules"]);
const CPP = /\.(c|cc|h)$/;

/** Why the format cannot be checked here, and what to do about it; undefined where it can. */
export function whyNot() {
  const clangFormat = find();
  if (!clangFormat) return "clang-format is missing. Install it: sudo apt-get install clang-format";
  const version = spawnSync(clangFormat, ["--version"], { encoding: "utf8" }).stdout.match(/version (\d+)/)?.[1];
  if (version === MAJOR) return undefined;
  return `clang-format ${MAJOR} is what counts, and this is ${version}, which formats differently. Put clang-format-${MAJOR} in the PATH.`;
}

/** The files that are not formatted, each with the first line that is not: `packages/native/src/a.cc:12`. */
function findUnformatted(root) {
  const args = ["--dry-run", "--Werror", "--ferror-limit=0", ...listCpp(root, FOLDERS)];
  const { stderr } = spawnSync(find(), args, { cwd: root, encoding: "utf8", maxBuffer: 2 ** 28 });
  const first = new Map();
  for (const [, file, line] of stderr.matchAll(/^(.+?):(\d+):\d+: error:/gm))
    if (!first.has(file)) first.set(file, line);
  return [...first].map(([file, line]) => `${file}:${line}`);
}

function find() {
  return findCommand(`clang-format-${MAJOR}`) ?? findCommand("clang-format");
}

function listCpp(root, folders) {
  return folders.flatMap((folder) => listFiles(join(root, folder))).map((file) => relative(root, file));
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
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED_FOLDERS.has(entry.name) ? [] : listFiles(path);
    return CPP.test(entry.name) ? [path] : [];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const reason = whyNot();
  if (reason) {
    console.error(`C++: skipped. ${reason}`);
  } else if (process.argv.includes("--write")) {
    const { status } = spawnSync(find(), ["-i", ...listCpp(root, FOLDERS)], { cwd: root, stdio: "inherit" });
    process.exitCode = status ?? 1;
  } else {
    const unformatted = findUnformatted(root);
    for (const place of unformatted) console.error(`${place}: not formatted.`);
    process.exitCode = unformatted.length > 0 ? 1 : 0;
  }
}

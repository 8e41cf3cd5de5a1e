// install.mjs TARGETS: the native parts of an installed package. Those that it brings where they run, else built here from its sources, by npm's node-gyp.
import { spawnSync } from "node:child_process";
import { existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const addon = join(root, "build/Release/lendbuf.node");

if (process.platform !== "linux") fail(`Lendbuf runs on Linux; this is ${process.platform}.`);
if (!runsHere()) build();

function runsHere() {
  try {
    createRequire(import.meta.url)(addon);
    return true;
  } catch {
    return false; // for another processor, or a newer libc than this one
  }
}

function build() {
  console.log("The native parts that this package brings do not run here, so they are built.");
  const prefix = resolve(dirname(process.execPath), "..");
  const nodedir = existsSync(join(prefix, "include/node/node_api.h")) ? [`--nodedir=${prefix}`] : [];
  const gyp = (...args) =>
    spawnSync("node-gyp", [...args, "--release", ...nodedir], { cwd: root, stdio: "inherit" }).status === 0;
  rmSync(join(root, "build"), { recursive: true, force: true });
  const isBuilt = gyp("configure") && gyp("build", "--jobs", "max", ...process.argv.slice(2));
  if (!isBuilt || !runsHere())
    fail(
      "The native parts cannot be built. They need g++ (C++20), make and python3; on Debian: sudo apt-get install g++ make python3",
    );
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

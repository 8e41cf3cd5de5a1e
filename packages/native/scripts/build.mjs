// Builds the addon, the warden and the look at /proc with node-gyp, against the headers beside this Node where it has them.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { sourcesOf } from "./sources.mjs";

const root = resolve(import.meta.dirname, "..");
const prefix = resolve(dirname(process.execPath), "..");
const hasHeaders = existsSync(join(prefix, "include/node/node_api.h"));
const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
const lock = join(root, "build/lock");
const configuredFor = join(root, "build/configured-for.json");

function gyp(command, ...options) {
  const nodedir = hasHeaders ? [`--nodedir=${prefix}`] : [];
  // -k: the others are built even while one does not compile.
  const env = { ...process.env, MAKEFLAGS: "-k" };
  // Two builds at once, of two terminals or two tests, wait for each other.
  const args = [lock, process.execPath, nodeGyp, command, "--release", "--loglevel=warn", ...nodedir, ...options];
  const { status } = spawnSync("flock", args, { stdio: "inherit", cwd: root, env });
  if (status !== 0) process.exit(status ?? 1);
}

/** All that the makefiles depend on and make does not see; whatever else changes is make's business. */
function configuration() {
  const sources = ["addon", "common", "holders", "hook", "warden"].flatMap(sourcesOf);
  const gypFile = readFileSync(join(root, "binding.gyp"), "utf8");
  return JSON.stringify({ root, node: process.version, prefix, sources, gypFile });
}

mkdirSync(dirname(lock), { recursive: true });
const wanted = configuration();
if (!existsSync(configuredFor) || readFileSync(configuredFor, "utf8") !== wanted) {
  gyp("configure");
  writeFileSync(configuredFor, wanted);
}
gyp("build", "--jobs", "2");

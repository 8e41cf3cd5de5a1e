// Builds the addon and the warden with node-gyp, against the headers beside this Node where it has them.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, resolve } from "node:path";

const prefix = resolve(dirname(process.execPath), "..");
const hasHeaders = existsSync(resolve(prefix, "include/node/node_api.h"));
const nodeGyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
const args = ["rebuild", "--release", "--jobs", "max", ...(hasHeaders ? [`--nodedir=${prefix}`] : [])];
const { status } = spawnSync(process.execPath, [nodeGyp, ...args], { stdio: "inherit", cwd: resolve(import.meta.dirname, "..") });
process.exit(status ?? 1);

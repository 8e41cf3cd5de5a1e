// Builds the addon under AddressSanitizer and UBSan into build-sanitized/addon; only what changed. Needs Node's headers beside Node.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const folder = join(root, "build-sanitized/addon");
const variables = [
  `CXX=${process.env.CXX || "g++"}`,
  `NODE_INCLUDE=${resolve(dirname(process.execPath), "../include/node")}`,
  `NODE_ADDON_API=${dirname(createRequire(import.meta.url).resolve("node-addon-api"))}`,
];

mkdirSync(folder, { recursive: true });
const make = [join(folder, "lock"), "make", "--silent", "-j2", "-f", "scripts/sanitized-addon.mk", ...variables];
const { status } = spawnSync("flock", make, { stdio: "inherit", cwd: root });
process.exit(status ?? 1);

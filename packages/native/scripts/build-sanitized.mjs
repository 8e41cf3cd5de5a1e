// Builds the warden under AddressSanitizer with UBSan, and under ThreadSanitizer, into build-sanitized/; only what changed.
import { spawnSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";

const root = resolve(import.meta.dirname, "..");
const lock = join(root, "build-sanitized/lock");

mkdirSync(join(root, "build-sanitized"), { recursive: true });
// Several test files ask for it at the same time.
const make = [lock, "make", "--silent", "-j2", "-f", "scripts/sanitized.mk", `CXX=${process.env.CXX || "g++"}`];
const { status } = spawnSync("flock", make, { stdio: "inherit", cwd: root });
process.exit(status ?? 1);

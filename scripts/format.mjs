// npm run format: formats everything that has a format, and mends what the linter can.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { cppFormat } from "./static-checks.mjs";
import { ROOT } from "./step.mjs";

const { command: clangFormat, skip } = cppFormat(["-i"]);
if (skip) console.error(`C++: skipped. ${skip}`);
const commands = [
  [join(ROOT, "node_modules/.bin/biome"), "check", "--write", "."],
  ...(clangFormat ? [clangFormat] : []),
];
for (const [command, ...args] of commands) {
  const { status } = spawnSync(command, args, { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}

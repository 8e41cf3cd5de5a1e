import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { fileURLToPath } from "node:url";

const CACHE = fileURLToPath(new URL("../../../node_modules/.cache/lendbuf", import.meta.url));

/** The program of a C file here, or with flags what they make of it: compiled once, and again when its source has changed. */
export function compiled(name: string, flags: readonly string[] = []): string {
  const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
  const program = `${CACHE}/${name}`;
  if (existsSync(program) && statSync(program).mtimeMs >= statSync(source).mtimeMs) return program;
  mkdirSync(CACHE, { recursive: true });
  const fresh = `${program}.${process.pid}`;
  execFileSync("cc", ["-O1", "-Wall", "-Wextra", ...flags, "-o", fresh, source]);
  renameSync(fresh, program); // whole, also for a test file that runs at the same time
  return program;
}

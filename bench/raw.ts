import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { BENCH, ROOT } from "./machine.ts";

const CACHE = join(ROOT, "node_modules/.cache/bench");
const SOURCES = join(BENCH, "raw");
const CLIENT = join(ROOT, "clients/c");
/** What a program has besides its own file. */
const PARTS: Record<string, { sources: string[]; headers: string[]; options: string[] }> = {
  "c-client": {
    sources: [join(CLIENT, "lendbuf.c")],
    headers: [join(CLIENT, "lendbuf.h")],
    options: [`-I${CLIENT}`, "-pthread"],
  },
};

/** The program of raw/NAME.c: compiled once, and again when its sources have changed. */
export function rawProgram(name: string): string {
  const program = join(CACHE, name);
  const { sources, headers, options } = PARTS[name] ?? { sources: [], headers: [], options: [] };
  const all = [join(SOURCES, `${name}.c`), ...sources];
  const newest = Math.max(...[...all, ...headers, join(SOURCES, "raw.h")].map((path) => statSync(path).mtimeMs));
  if (existsSync(program) && statSync(program).mtimeMs >= newest) return program;
  mkdirSync(CACHE, { recursive: true });
  const fresh = `${program}.${process.pid}`;
  execFileSync("cc", ["-O2", "-Wall", "-Wextra", ...options, "-o", fresh, ...all]);
  renameSync(fresh, program);
  return program;
}

/** Runs it; the numbers that it prints. */
export function runRaw(name: string, ...args: (string | number)[]): number[] {
  const output = execFileSync(rawProgram(name), args.map(String), { encoding: "utf8" });
  return output.trim().split("\n").map(Number);
}

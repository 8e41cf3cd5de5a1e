import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

/** Compiles a C++ file that lies beside the tests; answers the path of what came out. */
export function compiled(source: string, ...options: string[]): string {
  const output = join(mkdtempSync(join(tmpdir(), "lendbuf-test-")), basename(source, ".cc"));
  const path = fileURLToPath(new URL(source, import.meta.url));
  execFileSync("c++", ["-std=c++20", "-O1", "-Wall", "-o", output, path, ...options]);
  return output;
}

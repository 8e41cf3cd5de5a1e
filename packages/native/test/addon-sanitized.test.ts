import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const headers = resolve(dirname(process.execPath), "../include/node/node_api.h");
const libraries = ["libasan.so", "libstdc++.so"].map(libraryPath);
const missing = [headers, ...libraries].filter((path) => !existsSync(path));

function libraryPath(name: string): string {
  const { stdout } = spawnSync("g++", [`-print-file-name=${name}`], { encoding: "utf8" });
  return stdout?.trim() || name;
}

describe("the addon under AddressSanitizer and UBSan", () => {
  it.skipIf(missing.length > 0)(
    `has nothing to report${missing.length > 0 ? ` (skipped: install g++ and Node's headers, for ${missing.join(", ")})` : ""}`,
    { timeout: 180_000 },
    () => {
      execFileSync(process.execPath, [join(root, "scripts/build-sanitized-addon.mjs")]);
      const suppressions = join(mkdtempSync(join(tmpdir(), "lendbuf-test-")), "leaks");
      writeFileSync(suppressions, "leak:ossl_load_builtin_compressions\n");

      const run = spawnSync(process.execPath, ["--expose-gc", join(root, "test/addon-under-sanitizers.mjs")], {
        encoding: "utf8",
        env: {
          ...process.env,
          LENDBUF_ADDON: join(root, "build-sanitized/addon/lendbuf.node"),
          LD_PRELOAD: libraries.join(" "),
          LSAN_OPTIONS: `suppressions=${suppressions}:print_suppressions=0`,
          UBSAN_OPTIONS: "print_stacktrace=1",
        },
      });

      expect(run.stderr).toBe("");
      expect(run.stdout).toContain("# fail 0");
      expect(run.status).toBe(0);
    },
  );
});

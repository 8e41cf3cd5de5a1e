import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { checkLock } from "./check-lock.mjs";

const made = [];

afterEach(() => {
  for (const folder of made.splice(0)) rmSync(folder, { recursive: true });
});

/** A checkout that depends on `a`, which has a native part for Linux. */
function checkout({ manifest = { dependencies: { a: "1.0.0" } }, packages }) {
  const root = mkdtempSync(join(tmpdir(), "lendbuf-lock-"));
  made.push(root);
  const files = {
    "package.json": manifest,
    "node_modules/a/package.json": { name: "a", version: "1.0.0", optionalDependencies: { "a-linux": "1.0.0" } },
    "package-lock.json": {
      packages: { "": { dependencies: { a: "1.0.0" } }, "node_modules/a": { version: "1.0.0" }, ...packages },
    },
  };
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), JSON.stringify(content));
  }
  return root;
}
const complete = { "node_modules/a-linux": { version: "1.0.0", optional: true } };

describe("the lock file check", () => {
  it("is content with a lock file that has everything", () => {
    expect(checkLock(checkout({ packages: complete }))).toEqual([]);
  });

  it("finds a platform package that npm left out", () => {
    expect(checkLock(checkout({ packages: {} }))).toEqual([expect.stringContaining("a@1.0.0 needs a-linux")]);
  });

  it("finds a lock file that is older than package.json", () => {
    const root = checkout({ manifest: { dependencies: { a: "2.0.0" } }, packages: complete });

    expect(checkLock(root)).toEqual([expect.stringContaining("package.json: its dependencies are not those")]);
  });

  it("finds a package that is tied to one registry", () => {
    const resolved = "https://registry.example.net/b.tgz";

    expect(checkLock(checkout({ packages: { ...complete, "node_modules/b": { resolved } } }))).toEqual([
      expect.stringContaining(`node_modules/b is tied to ${resolved}`),
    ]);
  });
});

// docs/security.md claims nothing that no test holds.
import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../../", import.meta.url);
const TEXT = readFileSync(new URL("docs/security.md", ROOT), "utf8");
const CLAIMS = [...TEXT.matchAll(/`([\w./-]+\.test\.m?ts|[\w./-]+\.test\.mjs) › ([^`]+)`/g)].map(([, file, title]) => [
  file!,
  title!,
]);

describe("docs/security.md", () => {
  it("names a test for each row of its tables", () => {
    const rows = TEXT.split("\n").filter((line) => line.startsWith("| ") && !/^\| (it|they) cannot \|/.test(line));

    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows) expect(row).toContain(" › ");
  });

  it.each(CLAIMS)("%s has: %s", (file, title) => {
    const url = new URL(file, ROOT);

    expect(existsSync(url)).toBe(true);
    expect(readFileSync(url, "utf8")).toContain(title);
  });
});

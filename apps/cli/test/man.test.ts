import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { buildProgram } from "../src/program.ts";
import { run } from "./lendbuf.ts";

const built = new URL("../dist/lendbuf.1", import.meta.url).pathname;
const hasGroff = spawnSync("groff", ["--version"]).status === 0;

/** As it is read: plain text, 80 columns. */
function shown(): { text: string; warnings: string } {
  const { stdout, stderr } = spawnSync("groff", ["-man", "-ww", "-Tutf8", "-P-cbou", built], { encoding: "utf8" });
  return { text: stdout, warnings: stderr };
}

describe("the manual's page", () => {
  it("is what the build wrote, lendbuf man and lendbuf help man alike", async () => {
    const page = readFileSync(built, "utf8");

    expect((await run(["man"])).stdout).toBe(page);
    expect((await run(["help", "man"])).stdout).toBe(page);
  });

  it.skipIf(!hasGroff)("has no mistake that groff finds (needs groff: apt install groff-base)", () => {
    expect(shown().warnings).toBe("");
  });

  it.skipIf(!hasGroff)("shows every command with every option (needs groff: apt install groff-base)", () => {
    const words = shown().text.replace(/\s+/g, " ");
    const program = buildProgram();

    for (const command of program.createHelp().visibleCommands(program)) {
      if (command.name() === "help") continue;
      expect(words).toContain(` lendbuf ${command.name()}`);
      for (const { long, hidden } of command.options) if (!hidden) expect(words).toContain(` ${long}`);
    }
  });

  it.skipIf(!hasGroff)(
    "shows backslashes, quotes and leading dots of the examples (needs groff: apt install groff-base)",
    () => {
      const { text } = shown();

      expect(text).toMatch(/^ +lendbuf call delegations\.get '\{"id":17\}'$/m);
      expect(text).toMatch(/-- \.\/capture --rate 100$/m);
    },
  );
});

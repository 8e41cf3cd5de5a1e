import { describe, expect, it } from "vitest";
import { checkHygiene } from "./check-hygiene.mjs";

const machine = { folders: ["/builds/lendbuf", "/builds"], registryHosts: ["npm.example.net"] };

function problemsOf(file, text) {
  return checkHygiene({ [file]: text }, machine);
}

describe("the hygiene check", () => {
  it.each([
    ["a folder of this machine", "docs/a.md", "see /builds/other/file", "a folder of one machine"],
    ["this machine's registry", "docs/a.md", "from https://npm.example.net/x", "this machine's registry"],
    ["a test that shuts out the others", "a.test.ts", 'it.only("works", () => {});', "Remove .only"],
    ["a loose end without an issue", "a.cc", "// TODO: later", "name the issue"],
    ["an unfinished merge", "a.ts", "<<<<<<< ours", "merge was not finished"],
  ])("finds %s", (_, file, line, advice) => {
    expect(problemsOf(file, `\n${line}\n`)).toEqual([expect.stringMatching(new RegExp(`^${file}:2: .*${advice}`))]);
  });

  it.each([
    ["a longer path that ends alike", "docs/a.md", "https://example.org/x/builds/y and ./builds"],
    ["a loose end with an issue", "a.ts", "// TODO(#12): later"],
    ["prose about loose ends", "CONTRIBUTING.md", "No TODO without an issue."],
  ])("lets %s be", (_, file, line) => {
    expect(problemsOf(file, line)).toEqual([]);
  });
});

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { readConfig } from "../src/config.ts";

const ROOT = new URL("../../../", import.meta.url);
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "lendbuf-examples-"));
});

afterAll(() => rmSync(folder, { recursive: true }));

function read(text: string) {
  const file = join(folder, "agent.toml");
  writeFileSync(file, text);
  const config = readConfig(["--config", file], {}, 1234);
  if (config === "help") throw new Error("help was not asked for");
  return config;
}

it("the file of the package says nothing, and what is commented out in it is valid", () => {
  const text = readFileSync(new URL("packaging/agent.toml", ROOT), "utf8");

  const asItIs = read(text);
  const all = read(text.replace(/^#(?=\S)/gm, ""));

  expect({ ...asItIs, file: null }).toEqual(readConfig(["--config", "none"], {}, 1234));
  expect(all.rules.map(({ name }) => name)).toEqual(["students", "team-a"]);
  expect(all.accounts.map(({ name }) => name)).toEqual(["alice"]);
});

it("the file of docs/policy.md is valid", () => {
  const [, text] = /```toml\n([\s\S]*?)```/.exec(readFileSync(new URL("docs/policy.md", ROOT), "utf8"))!;

  expect(read(text!).rules).toHaveLength(4);
});

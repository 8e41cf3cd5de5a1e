import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { ERROR_CODES } from "@lendbuf/shared/errors";
import { describe, expect, it } from "vitest";
import { FOLDER, sanitized } from "./built.ts";

describe("the JSON reader", () => {
  const reader = sanitized("reader");
  const ask = (command: string, lines: string[]) =>
    execFileSync(reader, [command], { input: `${lines.join("\n")}\n`, encoding: "utf8" })
      .trimEnd()
      .split("\n");

  it("takes the objects that JSON.parse takes, of many that are nearly right", () => {
    const texts = mutants(readFileSync(join(FOLDER, "../../docs/protocol.md"), "utf8"), 20_000);

    const answers = ask("valid", texts);

    const expected = texts.map((text) => (isObject(text) ? "yes" : "no"));
    const wrong = texts.filter((_, i) => answers[i] !== expected[i]);
    expect(wrong).toEqual([]);
    for (const kind of ["yes", "no"]) expect(answers.filter((answer) => answer === kind).length).toBeGreaterThan(1000);
  });

  it("has an errno of its own for each code of the agent's", () => {
    const names = ask("errno", [...ERROR_CODES, "NEW"]);

    expect(names.filter((name) => name === "EREMOTEIO")).toHaveLength(2); // INTERNAL, and what is not known
    expect(names).not.toContain("");
  });
});

/** The packets that the document shows, and texts that differ from them in a few characters. The same in each run. */
function mutants(document: string, count: number): string[] {
  const packets = document.split("\n").flatMap((line) => /^[→←] (\{.*\})$/.exec(line)?.[1] ?? []);
  const seeds = [...packets, '{"a":[0,-1.5e+3,"\\u00e9\\n",true,null,{}],"b":{"c":[]}}', "{}", ' { "x" : 1 } '];
  const pieces = [
    "{",
    "}",
    "[",
    "]",
    '"',
    "\\",
    ",",
    ":",
    "0",
    "1",
    "-",
    ".",
    "e",
    "+",
    "u",
    "t",
    "null",
    " ",
    "\t",
    "\u0001",
  ];
  let state = 1;
  const random = (below: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % below;
  };
  return Array.from({ length: count }, () => {
    let text = seeds[random(seeds.length)]!;
    for (let changes = random(3); changes > 0; changes--) {
      const at = random(text.length + 1);
      text = text.slice(0, at) + (random(3) === 0 ? "" : pieces[random(pieces.length)]) + text.slice(at + random(3));
    }
    return text;
  });
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

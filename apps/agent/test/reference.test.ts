import { existsSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { DOCS, generatedDocs, REGENERATE } from "./reference.ts";

describe("the generated part of docs", () => {
  it.each(generatedDocs())("$file is what the agent takes", ({ file, text }) => {
    const url = new URL(file, DOCS);
    const written = existsSync(url) ? readFileSync(url, "utf8") : "";

    expect(written === text, `docs/${file} is out of date. Run: ${REGENERATE}`).toBe(true);
  });

  it("links to explanations that are there", () => {
    const [reference] = generatedDocs();
    const protocol = readFileSync(new URL("protocol.md", DOCS), "utf8");
    const headings = [...protocol.matchAll(/^#+ (.*)$/gm)].map(([, words]) =>
      words!
        .toLowerCase()
        .replaceAll(/[^\w\s-]/g, "")
        .replaceAll(" ", "-"),
    );
    const links = [...reference!.text.matchAll(/\(protocol\.md#([^)]+)\)/g)].map(([, anchor]) => anchor!);

    expect(links.filter((anchor) => !headings.includes(anchor))).toEqual([]);
  });
});

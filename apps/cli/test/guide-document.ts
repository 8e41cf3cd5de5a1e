// What docs/guide.md shows, as steps that can be played.
import { readFileSync } from "node:fs";

const TEXT = readFileSync(new URL("../../../docs/guide.md", import.meta.url), "utf8");

export interface GuideStep {
  line: number;
  /** `run` and `background` are commands, `elsewhere` commands that are not played, `shown` what the last one prints, `shown background` what that in the background does. */
  kind: "run" | "background" | "elsewhere" | "shown" | "shown background" | "file";
  text: string;
  /** The folder of the checkout without which it cannot be played. */
  needs?: string | undefined;
  /** Of a file: as what it is saved. */
  name?: string | undefined;
}

export interface Task {
  title: string;
  steps: GuideStep[];
}

/** A task is a heading with commands below it; a fenced block's first line says what it is. */
export function tasksOf(text = TEXT): Task[] {
  const tasks: Task[] = [];
  const pattern = /^## (?<title>.+)$|^```(?<info>[^\n]*)\n(?<body>[\s\S]*?)^```$/gm;
  for (const { groups, index } of text.matchAll(pattern)) {
    const { title, info, body } = groups as Record<string, string | undefined>;
    if (title) tasks.push({ title, steps: [] });
    else tasks.at(-1)!.steps.push(...stepsOf(info!, body!, text.slice(0, index).split("\n").length));
  }
  return tasks;
}

function stepsOf(info: string, text: string, line: number): GuideStep[] {
  const [language, ...words] = info.split(" with ")[0]!.split(" ");
  const needs = info.split(" with ")[1];
  const inBackground = words[0] === "background";
  if (language === "ini" || language === "toml") return [];
  if (language === "sh" && words[0] === "elsewhere") return [{ line, kind: "elsewhere", text }];
  if (language === "sh") return [{ line, kind: inBackground ? "background" : "run", text, needs }];
  if (language === "text") return [{ line, kind: inBackground ? "shown background" : "shown", text, needs }];
  if (words[0]) return [{ line, kind: "file", text, name: words[0] }];
  throw new Error(`docs/guide.md:${line}: nobody knows how to play a block of "${info}".`);
}

/** The lines in order, others between them; `…` is anything, and columns may be wider or narrower. */
export function patternOf(shown: string): RegExp {
  const lines = shown.trimEnd().split("\n");
  const sources = lines.map((line) =>
    line
      .trim()
      .split(/\s*…\s*/)
      .map(literal)
      .join(".*"),
  );
  return new RegExp(sources.map((source) => `^ *${source} *$`).join("(?:\\n.*)*?\\n"), "m");
}

function literal(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&").replaceAll(/ +/g, " +");
}

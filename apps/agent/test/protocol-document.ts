// Reads docs/protocol.md: its packets, its tables, its programs.
import { readFileSync } from "node:fs";

const TEXT = readFileSync(new URL("../../../docs/protocol.md", import.meta.url), "utf8");

/** One line of a session; a packet's text spans lines. `text` is undefined at the end of the connection. */
export interface Step {
  /** Of the document. */
  line: number;
  connection: string;
  from: "client" | "agent";
  text: string | undefined;
  fds: number;
}

/** Every packet that the document shows, in its order. */
export function stepsOf(document = TEXT): Step[] {
  return fencesOf(document).flatMap(({ info, line, body }) => {
    const [kind, connection] = info.split(" ");
    if (kind !== "packets") return [];
    const steps: Step[] = [];
    body.forEach((text, i) => {
      const mark = /^([→←]) (.*)$/.exec(text);
      const last = steps.at(-1);
      if (mark) {
        const isEnd = mark[2] === "(end of the connection)";
        const from = mark[1] === "→" ? "client" : "agent";
        steps.push({ line: line + i, connection: connection!, from, text: isEnd ? undefined : mark[2], fds: 0 });
      } else if (last && /^ +\+ 1 fd$/.test(text)) last.fds = 1;
      else if (last?.text !== undefined && text.startsWith("   ")) last.text += `\n${text}`;
      else throw new Error(`docs/protocol.md:${line + i}: neither a packet nor the rest of one: ${text}`);
    });
    return steps;
  });
}

/** The first block of code in this language. */
export function programOf(language: string): string {
  const fence = fencesOf(TEXT).find(({ info }) => info === language);
  if (!fence) throw new Error(`docs/protocol.md has no program in ${language}`);
  return `${fence.body.join("\n")}\n`;
}

/** The rows of the tables between a heading and the next one, as cells without backticks around a single word. */
export function rowsUnder(heading: string): string[][] {
  const lines = TEXT.split("\n");
  const start = lines.findIndex(
    (line) => /^#+ /.test(line) && line.replace(/^#+ /, "").replaceAll("`", "") === heading,
  );
  if (start < 0) throw new Error(`docs/protocol.md has no heading "${heading}"`);
  const length = lines.slice(start + 1).findIndex((line) => /^#+ /.test(line));
  return lines
    .slice(start + 1, length < 0 ? undefined : start + 1 + length)
    .filter((line, i, all) => line.startsWith("| `") && !all[i + 1]?.startsWith("|--"))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

/** The names in a cell such as "`buffer`, `device`". */
export function namesIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);
}

/** The fields that the document gives a type. */
export function fieldsOf(type: string): string[] {
  return rowsUnder(type).flatMap(([cell]) => namesIn(cell!));
}

function fencesOf(document: string): { info: string; line: number; body: string[] }[] {
  const fences: { info: string; line: number; body: string[] }[] = [];
  let open: (typeof fences)[number] | undefined;
  document.split("\n").forEach((text, i) => {
    if (!text.startsWith("```")) open?.body.push(text);
    else if (open) open = undefined;
    else fences.push((open = { info: text.slice(3), line: i + 2, body: [] }));
  });
  return fences;
}

/** How an answer differs from what the document shows; undefined where it does not. */
export function differenceOf(shown: unknown, actual: unknown, at = ""): string | undefined {
  const says = (what: string) => `${at || "the packet"}: ${what}`;
  if (typeof shown === "string" && shown.includes("‹"))
    return fits(shown, actual) ? undefined : says(`${JSON.stringify(actual)} is no ${shown}`);
  if (typeof shown !== "object" || shown === null || typeof actual !== "object" || actual === null) {
    return Object.is(shown, actual)
      ? undefined
      : says(`${JSON.stringify(actual)}, and the document has ${JSON.stringify(shown)}`);
  }
  const { keys, partOf } = keysOf(shown, says);
  const expected = partOf ? fieldsOf(partOf) : keys;
  const found = Object.keys(actual);
  const missing = expected.filter((key) => !found.includes(key));
  const more = found.filter((key) => !expected.includes(key));
  if (missing.length > 0 || more.length > 0)
    return says(
      `the agent ${[missing.length > 0 && `leaves out ${missing}`, more.length > 0 && `adds ${more}`].filter(Boolean).join(" and ")}`,
    );
  for (const key of keys) {
    const difference = differenceOf(shown[key as never], actual[key as never], at ? `${at}.${key}` : key);
    if (difference) return difference;
  }
  return undefined;
}

function keysOf(shown: object, says: (what: string) => string): { keys: string[]; partOf: string | undefined } {
  const marks = Object.keys(shown).filter((key) => key.startsWith("‹"));
  const keys = Object.keys(shown).filter((key) => !key.startsWith("‹"));
  const partOf = marks[0]?.slice(1, -1);
  if (!partOf) return { keys, partOf };
  const unknown = keys.filter((key) => !fieldsOf(partOf).includes(key));
  if (unknown.length > 0) throw new Error(says(`a ${partOf} has no ${unknown}`));
  return { keys, partOf };
}

function fits(shown: string, actual: unknown): boolean {
  if (shown === "‹number›") return typeof actual === "number" && actual >= 0;
  if (shown === "‹time›") return Number.isInteger(actual) && (actual as number) > 1e12;
  if (shown === "‹text›") return typeof actual === "string" && actual !== "";
  if (typeof actual !== "string") return false;
  const parts = shown.split(/(‹[a-z]+›)/).map((part) => {
    if (part === "‹text›") return ".+";
    return part.startsWith("‹") ? "\\d+" : part.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  });
  return new RegExp(`^${parts.join("")}$`, "s").test(actual);
}

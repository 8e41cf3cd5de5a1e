import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import type { AuditRow } from "@lendbuf/shared/audit";
import { EXIT } from "../exit-codes.ts";
import { Failure } from "../failure.ts";

/** A line of an export: the entry as it is stored, and its predecessor's hash. */
export type ExportedRow = AuditRow & { previous: string | null };

type Type = "number" | "string" | "number or null" | "string or null";

const TYPES: Record<keyof ExportedRow, Type> = {
  seq: "number",
  at: "number",
  actor: "string",
  action: "string",
  delegation: "number or null",
  delegations: "string or null",
  buffer: "string or null",
  account: "string or null",
  state: "string or null",
  detail: "string",
  previous: "string or null",
  hash: "string",
};

/** Reads an export of either format, a line at a time. @throws Failure where a line is none of an export */
export async function* readExport(path: string): AsyncGenerator<ExportedRow> {
  const stream = createReadStream(path, "utf8");
  const failed = new Promise<never>((_resolve, reject) => stream.once("error", reject));
  failed.catch(() => {});
  let columns: string[] | undefined;
  let line = 0;
  for await (const text of createInterface({ input: stream, crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (line === 1 && text.startsWith("seq,")) columns = cellsOf(text);
    else if (text !== "") yield rowOf(columns ? fromCells(columns, cellsOf(text)) : parse(text), `${path}:${line}`);
  }
  if (stream.errored) await failed;
}

function rowOf(value: unknown, where: string): ExportedRow {
  const row = (value ?? {}) as ExportedRow;
  const wrong = Object.entries(TYPES).find(([name, type]) => !fits(row[name as keyof ExportedRow], type));
  if (!wrong) return row;
  throw new Failure(
    "BAD_INPUT",
    EXIT.auditBroken,
    `${where} is no entry of an export: its "${wrong[0]}" is missing or changed. \`lendbuf audit export\` writes such files.`,
  );
}

function fits(value: unknown, type: Type): boolean {
  if (value === null) return type.endsWith(" or null");
  return type.startsWith("number") ? Number.isSafeInteger(value) : typeof value === "string";
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function fromCells(columns: readonly string[], cells: readonly string[]): object {
  return Object.fromEntries(columns.map((column, i) => [column, cellValue(column, cells[i])]));
}

function cellValue(column: string, cell: string | undefined): string | number | null {
  if (cell === undefined || cell === "") return null;
  if (TYPES[column as keyof ExportedRow]?.startsWith("number")) return Number(cell);
  return /^'+[=+\-@\t\r]/.test(cell) ? cell.slice(1) : cell;
}

/** The cells of a line of CSV: what the audit has in them never spans lines. */
function cellsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(
    ([, quoted, plain]) => quoted?.replaceAll('""', '"') ?? plain ?? "",
  );
}

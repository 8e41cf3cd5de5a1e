import type { Found } from "./search.ts";

export type Format = "jsonl" | "csv";

const COLUMNS = [
  "seq",
  "time",
  "at",
  "actor",
  "action",
  "delegation",
  "delegations",
  "buffer",
  "account",
  "state",
  "detail",
  "previous",
  "hash",
] as const;

/** Characters in one piece: with all that is around it and escaped in it, it fits into a packet. */
const PIECE = 15_000;

/** The entries as text, in pieces. Each has its predecessor's hash, so that each can be verified by itself and all as a chain. */
export async function* exported(
  rows: AsyncIterable<Found>,
  format: Format,
): AsyncGenerator<{ seq: number; text: string }> {
  const write = format === "csv" ? csvLine : jsonLine;
  let text = format === "csv" ? `${COLUMNS.join(",")}\r\n` : "";
  let seq = 0;
  for await (const row of rows) {
    text += write(row);
    while (text.length >= PIECE) {
      yield { seq, text: text.slice(0, PIECE) };
      text = text.slice(PIECE);
    }
    seq = row.seq;
  }
  if (text !== "") yield { seq, text };
}

function jsonLine(row: Found): string {
  return `${JSON.stringify({ ...row, time: new Date(row.at).toISOString() }, [...COLUMNS])}\n`;
}

/** RFC 4180. */
function csvLine(row: Found): string {
  const cells = { ...row, time: new Date(row.at).toISOString() };
  return `${COLUMNS.map((column) => cell(cells[column])).join(",")}\r\n`;
}

function cell(value: string | number | null): string {
  if (typeof value !== "string") return value === null ? "" : String(value);
  // What a spreadsheet would take for a formula gets an apostrophe; so does what begins with apostrophes and then so, that it can be undone.
  const text = /^'*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

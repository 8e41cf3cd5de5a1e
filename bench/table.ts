import { median, time } from "./numbers.ts";

/** A line of the table. Numbers are milliseconds, one per round: their median is shown, with the least and the most. */
export interface Row {
  what: string;
  ours: readonly number[];
  /** What ours is held against, measured in the same rounds. */
  beside?: { name: string; values: readonly number[] } | undefined;
  target?: string | undefined;
  /** How it is written, where it is no time. */
  show?: ((value: number) => string) | undefined;
}

/** A heading between rows. */
export type Line = Row | string;

const HEADINGS = ["", "ours", "min–max", "beside it", "", "ratio", "target"];

export function printTable(lines: readonly Line[]): void {
  const cells = lines.map((line) => (typeof line === "string" ? line : cellsOf(line)));
  const rows = [HEADINGS, ...cells.filter((line) => typeof line !== "string")];
  const widths = HEADINGS.map((_heading, column) => Math.max(...rows.map((row) => row[column]!.length)));
  for (const line of [HEADINGS, ...cells]) {
    if (typeof line === "string") console.log(`\n${line}`);
    else
      console.log(
        line
          .map((cell, column) => align(cell, widths[column]!, column))
          .join("  ")
          .trimEnd(),
      );
  }
}

function cellsOf({ what, ours, beside, target = "", show = time }: Row): string[] {
  const ratio = beside ? ratioOf(ours, beside.values) : "";
  const range = `${show(Math.min(...ours))} – ${show(Math.max(...ours))}`;
  return [
    what,
    show(median(ours)),
    range,
    beside?.name ?? "",
    beside ? show(median(beside.values)) : "",
    ratio,
    target,
  ];
}

/** Of each round by itself, because both sides of a round had the same machine. */
function ratioOf(ours: readonly number[], beside: readonly number[]): string {
  const ratio =
    ours.length === beside.length ? median(ours.map((value, i) => value / beside[i]!)) : median(ours) / median(beside);
  return `${ratio.toFixed(ratio < 10 ? 1 : 0)} ×`;
}

function align(cell: string, width: number, column: number): string {
  const isWords = column === 0 || column === 3 || column === 6;
  return isWords ? cell.padEnd(width) : cell.padStart(width);
}

import { harmless } from "@lendbuf/shared/harmless";
import { paint, type Style } from "./style.ts";
import { columnsOf, cut, widthOf } from "./text.ts";

export interface Column<Row> {
  title: string;
  cell(row: Row): string;
  align?: "right";
  style?(row: Row): Style | undefined;
  /** Where the terminal is too narrow, columns are left out in this order, 1 first; those without stay. */
  leaveOut?: number;
}

interface Placed<Row> {
  column: Column<Row>;
  width: number;
}

const GAP = 2;
/** To which width a column is cut before another is left out. */
const NARROW = 10;

/** Aligned lines. The first rows decide on the widths, so that a long list can be printed while it arrives. */
export class Table<Row> {
  readonly #columns: readonly Column<Row>[];
  readonly #total: number;
  #placed: Placed<Row>[] | undefined;

  constructor(columns: readonly Column<Row>[], total = columnsOf()) {
    this.#columns = columns;
    this.#total = total;
  }

  lines(rows: readonly Row[]): string[] {
    const head = this.#placed ? [] : [this.#head(rows)];
    return [...head, ...rows.map((row) => this.#line(row))];
  }

  #head(rows: readonly Row[]): string {
    this.#placed = place(this.#columns, rows, this.#total);
    const titles = this.#placed.map(({ column, width }) => pad(column.title, width, column.align));
    return paint(titles.join(" ".repeat(GAP)).trimEnd(), "dim");
  }

  #line(row: Row): string {
    const cells = this.#placed!.map(({ column, width }) => {
      const text = harmless(column.cell(row));
      const fitted = Number.isFinite(this.#total) ? cut(text, width) : text;
      return paint(pad(fitted, width, column.align), column.style?.(row));
    });
    return cells.join(" ".repeat(GAP)).trimEnd();
  }
}

function place<Row>(columns: readonly Column<Row>[], rows: readonly Row[], total: number): Placed<Row>[] {
  const placed = columns.map((column) => ({
    column,
    width: Math.max(widthOf(column.title), ...rows.map((row) => widthOf(harmless(column.cell(row))))),
  }));
  const next = Math.min(...columns.map(({ leaveOut = Number.POSITIVE_INFINITY }) => leaveOut));
  const isLastTry = next === Number.POSITIVE_INFINITY;
  if (shrink(placed, total, isLastTry ? 1 : NARROW) || isLastTry) return placed;
  return place(
    columns.filter(({ leaveOut }) => leaveOut !== next),
    rows,
    total,
  );
}

/** Takes from the widest column until all fit; false where none is wider than `least` any more. */
function shrink<Row>(placed: readonly Placed<Row>[], total: number, least: number): boolean {
  for (;;) {
    const used = placed.reduce((sum, { width }) => sum + width + GAP, -GAP);
    if (used <= total) return true;
    const widest = placed.reduce((one, other) => (other.width > one.width ? other : one));
    if (widest.width <= least) return false;
    widest.width -= 1;
  }
}

function pad(text: string, width: number, align: "right" | undefined): string {
  const space = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "right" ? space + text : text + space;
}

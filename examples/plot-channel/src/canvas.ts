// A grid of dots drawn with braille characters: each cell of the terminal has two columns of four.
const BLANK = 0x2800;
const DOT = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const;

export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #cells: Uint8Array;
  readonly #columns: number;

  /** In cells of the terminal; `width` and `height` are in dots. */
  constructor(columns: number, rows: number) {
    this.#columns = columns;
    this.#cells = new Uint8Array(columns * rows);
    this.width = columns * 2;
    this.height = rows * 4;
  }

  /** All dots of column `x` from `from` to `to`, counted from the top. */
  line(x: number, from: number, to: number): void {
    for (let y = Math.min(from, to); y <= Math.max(from, to); y++) {
      const cell = (y >> 2) * this.#columns + (x >> 1);
      this.#cells[cell]! |= DOT[x & 1]![y & 3]!;
    }
  }

  rows(): string[] {
    const characters = Array.from(this.#cells, (dots) => String.fromCharCode(BLANK + dots));
    const rows: string[] = [];
    for (let at = 0; at < characters.length; at += this.#columns) {
      rows.push(characters.slice(at, at + this.#columns).join(""));
    }
    return rows;
  }
}

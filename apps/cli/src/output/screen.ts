import { columnsOf } from "./text.ts";

export interface ScreenSize {
  rows: number;
  columns: number;
}

const ENTER = "\x1b[?1049h\x1b[?25l";
const LEAVE = "\x1b[?25h\x1b[?1049l";
const HOME = "\x1b[H";
const CLEAR_TO_END_OF_LINE = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/** The terminal's other screen, redrawn each second (relative times), on a resize, and when told; what was there before returns afterwards. */
export class Screen implements Disposable {
  readonly #content: (size: ScreenSize) => string[];
  readonly #redraw = () => this.draw();
  readonly #leave = () => process.stdout.write(LEAVE);
  readonly #clock: NodeJS.Timeout;

  constructor(content: (size: ScreenSize) => string[]) {
    this.#content = content;
    process.stdout.write(ENTER);
    process.stdout.on("resize", this.#redraw);
    process.on("exit", this.#leave);
    this.#clock = setInterval(this.#redraw, 1000);
  }

  draw(): void {
    const size = { rows: process.stdout.rows || 24, columns: columnsOf() };
    const lines = this.#content(size).slice(0, size.rows);
    process.stdout.write(HOME + lines.map((line) => line + CLEAR_TO_END_OF_LINE).join("\n") + CLEAR_BELOW);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#clock);
    process.stdout.off("resize", this.#redraw);
    process.off("exit", this.#leave);
    this.#leave();
  }
}

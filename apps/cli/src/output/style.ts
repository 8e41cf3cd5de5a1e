import type { WriteStream } from "node:tty";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

const CODES: Record<Style, [on: number, off: number]> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

/** Colours only on a terminal, and never where NO_COLOR is set. */
export function paint(text: string, style: Style | undefined, stream: WriteStream = process.stdout): string {
  if (!style || !stream.isTTY || process.env.NO_COLOR || process.env.TERM === "dumb") return text;
  const [on, off] = CODES[style];
  return `\x1b[${on}m${text}\x1b[${off}m`;
}

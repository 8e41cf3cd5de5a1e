// Text on a terminal: measured, cut.

const WIDE =
  /[\p{Script=Han}\p{Script=Hangul}\p{Script=Hiragana}\p{Script=Katakana}\p{Emoji_Presentation}\uff01-\uff60]/u;
const ZERO = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** Columns that it takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

/** At most so many columns, with "…" where something is missing. */
export function cut(text: string, width: number): string {
  if (widthOf(text) <= width) return text;
  let kept = "";
  let used = 0;
  for (const character of text) {
    const next = widthOf(character);
    if (used + next > width - 1) break;
    kept += character;
    used += next;
  }
  return `${kept}…`;
}

/** Of the terminal, or as COLUMNS says; without either nothing is cut. */
export function columnsOf(stream: { isTTY?: boolean; columns?: number } = process.stdout): number {
  const wanted = Number(process.env.COLUMNS);
  if (Number.isInteger(wanted) && wanted > 0) return wanted;
  // A terminal may not know its size: serial lines say 0.
  return stream.isTTY ? stream.columns || 80 : Number.POSITIVE_INFINITY;
}

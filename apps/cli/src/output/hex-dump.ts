import { columnsOf } from "./text.ts";

const ROWS = [16, 8, 4];
const OFFSET_DIGITS = 8;

/** Offset, bytes and text, as hexdump -C has them: as many bytes in a line as the terminal is wide for; lines like the one before become one "*". */
export class HexDump {
  readonly #row: number;
  #before: Buffer | undefined;
  #isSkipping = false;

  constructor(columns = columnsOf()) {
    this.#row = ROWS.find((row) => OFFSET_DIGITS + 2 + row * 4 + 3 <= columns) ?? ROWS.at(-1)!;
  }

  /** Of what follows the bytes of the call before; each with its line feed. */
  lines(offset: number, bytes: Buffer): string[] {
    const lines: string[] = [];
    for (let at = 0; at < bytes.length; at += this.#row)
      lines.push(this.#line(offset + at, bytes.subarray(at, at + this.#row)));
    return lines;
  }

  #line(offset: number, row: Buffer): string {
    const isRepeat = this.#before?.equals(row) ?? false;
    this.#before = row;
    if (isRepeat && this.#isSkipping) return "";
    this.#isSkipping = isRepeat;
    return isRepeat ? "*\n" : `${this.#describe(offset, row)}\n`;
  }

  #describe(offset: number, row: Buffer): string {
    const digits = [...row].map((byte) => byte.toString(16).padStart(2, "0")).join(" ");
    const text = [...row].map((byte) => (byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : ".")).join("");
    return `${offset.toString(16).padStart(OFFSET_DIGITS, "0")}  ${digits.padEnd(this.#row * 3 - 1)}  |${text}|`;
  }
}

import { nearest } from "./nearest.ts";
import { TomlLines } from "./toml-lines.ts";

/** Collects what is wrong with a file, each with its place. */
export class Problems {
  readonly all: string[] = [];
  readonly #path: string;
  readonly #lines: TomlLines;

  constructor(path: string, text: string) {
    this.#path = path;
    this.#lines = new TomlLines(text);
  }

  /** `/etc/lendbuf/agent.toml:12` */
  placeOf(path: readonly (string | number)[]): string {
    const line = this.#lines.of(path);
    return line === undefined ? this.#path : `${this.#path}:${line}`;
  }

  add(path: readonly (string | number)[], words: string): void {
    this.all.push(`${this.placeOf(path)}: ${words}`);
  }

  addUnknown(path: readonly (string | number)[], known: readonly string[], where: string): void {
    const key = String(path.at(-1));
    const meant = nearest(key, known);
    this.add(
      path,
      `"${key}" is no key of ${where}. ${meant ? `Did you mean "${meant}"?` : `It takes ${known.join(", ")}.`}`,
    );
  }
}

export function isTable(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date);
}

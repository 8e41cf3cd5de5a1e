type Path = readonly (string | number)[];

/** On which line of a TOML text a key stands, as far as that can be told without parsing it again. */
export class TomlLines {
  readonly #lines = new Map<string, number>();

  constructor(text: string) {
    let table: Path = [];
    const counts = new Map<string, number>();
    text.split("\n").forEach((line, index) => {
      const header = HEADER.exec(line);
      if (header) table = this.#enter(partsOf(header[2]!), header[1] === "[[", counts);
      const key = header ? [] : partsOf(KEY.exec(line)?.[1] ?? "");
      for (let length = header ? 0 : 1; length <= key.length; length++)
        this.#note([...table, ...key.slice(0, length)], index + 1);
    });
  }

  /** Of the key, else of the table that has it. */
  of(path: Path): number | undefined {
    for (let length = path.length; length > 0; length--) {
      const line = this.#lines.get(keyOf(path.slice(0, length)));
      if (line !== undefined) return line;
    }
    return undefined;
  }

  #enter(parts: string[], isOneOfMany: boolean, counts: Map<string, number>): Path {
    if (!isOneOfMany) return parts;
    const count = counts.get(keyOf(parts)) ?? 0;
    counts.set(keyOf(parts), count + 1);
    return [...parts, count];
  }

  #note(path: Path, line: number): void {
    const key = keyOf(path);
    if (!this.#lines.has(key)) this.#lines.set(key, line);
  }
}

const HEADER = /^\s*(\[\[?)\s*([^\]]+?)\s*\]/;
const KEY = /^\s*((?:"[^"]*"|'[^']*'|[\w-]+)(?:\s*\.\s*(?:"[^"]*"|'[^']*'|[\w-]+))*)\s*=/;

function partsOf(dotted: string): string[] {
  return [...dotted.matchAll(/"([^"]*)"|'([^']*)'|([\w-]+)/g)].map(
    ([, double, single, bare]) => double ?? single ?? bare!,
  );
}

function keyOf(path: Path): string {
  return JSON.stringify(path);
}

import { print, printJson, printLine } from "./print.ts";
import { type Column, Table } from "./table.ts";

interface PageOf<Row> {
  items: Row[];
  next: string | number | null;
  total: number;
}

/** Prints pages while they arrive: a table, or one JSON object `{ items, next, total }` over all pages. */
export async function printPages<Row>(
  pages: AsyncIterable<PageOf<Row>>,
  columns: readonly Column<Row>[],
  options: { json: boolean; empty: string },
): Promise<void> {
  await (options.json ? printAsJson(pages) : printAsTable(pages, columns, options.empty));
}

/** Prints a list that is already complete. */
export async function printList<Row>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  options: { json: boolean; empty: string },
): Promise<void> {
  if (options.json) return printJson(rows);
  const lines = rows.length === 0 ? [options.empty] : new Table(columns).lines(rows);
  await printLine(lines.join("\n"));
}

async function printAsTable<Row>(pages: AsyncIterable<PageOf<Row>>, columns: readonly Column<Row>[], empty: string) {
  const table = new Table(columns);
  let printed = 0;
  let rest = 0;
  for await (const { items, total } of pages) {
    if (items.length > 0) await printLine(table.lines(items).join("\n"));
    printed += items.length;
    rest = total - printed;
  }
  if (printed === 0) await printLine(empty);
  else if (rest > 0) await printLine(`… and ${rest} more`);
}

async function printAsJson(pages: AsyncIterable<PageOf<unknown>>) {
  let last: PageOf<unknown> = { items: [], next: null, total: 0 };
  let separator = '{"items":[\n';
  for await (const page of pages) {
    for (const item of page.items) {
      await print(separator + JSON.stringify(item));
      separator = ",\n";
    }
    last = page;
  }
  const head = separator.startsWith("{") ? separator : "\n";
  await print(`${head}],"next":${JSON.stringify(last.next)},"total":${last.total}}\n`);
}

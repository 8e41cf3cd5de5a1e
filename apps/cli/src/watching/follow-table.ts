import { printJsonLine, printLine } from "../output/print.ts";
import { Screen } from "../output/screen.ts";
import { paint } from "../output/style.ts";
import { type Column, Table } from "../output/table.ts";
import { cut } from "../output/text.ts";
import { clock } from "../output/time.ts";
import { untilInterrupted } from "../running/interruption.ts";

interface State<Row> {
  items: Row[];
  total: number;
}

interface Words {
  json: boolean;
  title(total: number): string;
  empty: string;
}

/** A list that changes, until Ctrl-C: a live table on a terminal, JSON Lines with --json, else a table after each change. */
export function followTable<Row>(
  subscribe: (signal: AbortSignal) => AsyncIterable<State<Row>>,
  columns: readonly Column<Row>[],
  words: Words,
): Promise<void> {
  return untilInterrupted(async (signal) => {
    const states = subscribe(signal);
    if (words.json) for await (const state of states) await printJsonLine(state);
    else if (process.stdout.isTTY) await showScreen(states, columns, words);
    else
      for await (const state of states)
        await printLine([head(state, words), ...body(state, columns, words)].join("\n"));
  });
}

async function showScreen<Row>(states: AsyncIterable<State<Row>>, columns: readonly Column<Row>[], words: Words) {
  let latest: State<Row> | undefined;
  using screen = new Screen((size) => {
    if (!latest) return [];
    const shown = { ...latest, items: latest.items.slice(0, Math.max(1, size.rows - 4)) };
    const title = cut(`${head(latest, words)}. Ctrl-C leaves.`, size.columns);
    return [paint(title, "bold"), "", ...body(shown, columns, words, size.columns)];
  });
  for await (const state of states) {
    latest = state;
    screen.draw();
  }
}

function head<Row>({ total }: State<Row>, { title }: Words): string {
  return `${clock(Date.now())}  ${title(total)}`;
}

function body<Row>(
  { items, total }: State<Row>,
  columns: readonly Column<Row>[],
  { empty }: Words,
  width?: number,
): string[] {
  if (items.length === 0) return [empty];
  const more = total - items.length;
  return [...new Table(columns, width).lines(items), ...(more > 0 ? [`… and ${more} more`] : [])];
}

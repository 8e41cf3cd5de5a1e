import type { Page } from "@lendbuf/shared/api";
import type { Context } from "../context.ts";

/** As many items as the page may have and the door can carry. `next` names the item after which to go on. */
export function paged<Source, Item, Cursor>(
  { replyBytes }: Pick<Context, "replyBytes">,
  sources: Iterable<Source>,
  limit: number,
  total: number,
  show: (source: Source) => Item,
  cursorOf: (item: Item) => Cursor,
): Page<Item, Cursor> {
  const items: Item[] = [];
  let bytes = 0;
  for (const source of sources) {
    const item = show(source);
    bytes += Buffer.byteLength(JSON.stringify(item)) + 1;
    if (items.length === limit || (bytes > replyBytes && items.length > 0))
      return { items, next: cursorOf(items.at(-1)!), total };
    items.push(item);
  }
  return { items, next: null, total };
}

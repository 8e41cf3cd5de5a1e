import type { Page } from "@lendbuf/shared/api";

/** Room for a page's items in one packet, with what is around them. */
const MAX_BYTES = 60_000;

/** As many items as the page may have and a packet can carry. `next` names the item after which to go on. */
export function paged<Source, Item, Cursor>(
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
    if (items.length === limit || (bytes > MAX_BYTES && items.length > 0))
      return { items, next: cursorOf(items.at(-1)!), total };
    items.push(item);
  }
  return { items, next: null, total };
}

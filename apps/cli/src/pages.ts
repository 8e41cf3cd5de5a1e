import type { Page } from "@lendbuf/shared/api";

/** How many to ask for at once: the agent sends fewer where a packet cannot carry them. */
export const PAGE = 100;

/** Follows `next` to the end, or until there are `limit` items. */
export async function* pages<Cursor, P extends Page<unknown, Cursor>>(
  fetch: (page: { cursor?: Cursor; limit: number }) => Promise<P>,
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<P> {
  let cursor: Cursor | undefined;
  for (let left = limit; left > 0; ) {
    const page = await fetch({ ...(cursor !== undefined && { cursor }), limit: Math.min(PAGE, left) });
    yield page;
    if (page.next === null) return;
    cursor = page.next;
    left -= page.items.length;
  }
}

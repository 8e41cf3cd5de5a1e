import type { DelegationsState } from "@lendbuf/shared/api";
import { DELEGATION_COLUMNS } from "../output/delegation.ts";
import type { ScreenSize } from "../output/screen.ts";
import { paint } from "../output/style.ts";
import { Table } from "../output/table.ts";
import { cut } from "../output/text.ts";
import { clock } from "../output/time.ts";

/** The live table: as many delegations as fit, the newest first. */
export function screenOf({ items, total }: DelegationsState, { rows, columns }: ScreenSize): string[] {
  const title = cut(`${total} live delegation${total === 1 ? "" : "s"}, ${clock(Date.now())}. Ctrl-C leaves.`, columns);
  const shown = items.slice(0, Math.max(1, rows - 4));
  const more = total - shown.length;
  return [
    paint(title, "bold"),
    "",
    ...(shown.length === 0 ? ["Nothing is lent."] : new Table(DELEGATION_COLUMNS, columns).lines(shown)),
    ...(more > 0 ? [paint(`… and ${more} more`, "dim")] : []),
  ];
}

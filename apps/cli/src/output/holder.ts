// Who holds memory, in words.

import { harmless } from "@lendbuf/shared/harmless";
import type { Holder, Visibility } from "@lendbuf/shared/holder";
import { notify } from "./print.ts";
import { paint } from "./style.ts";
import type { Column } from "./table.ts";

export const HOLDER_COLUMNS: readonly Column<Holder>[] = [
  { title: "PID", cell: ({ pid }) => String(pid), align: "right" },
  { title: "UID", cell: ({ uid }) => String(uid), align: "right", leaveOut: 2 },
  { title: "COMMAND", cell: ({ command }) => command },
  { title: "HOLDS", cell: describeHeld },
  {
    title: "WHO",
    cell: ({ role }) => (role === null ? "" : role === "agent" ? "the agent itself" : "the device's warden"),
    style: () => "dim",
    leaveOut: 1,
  },
];

/** "fd 3 and 4, 2 mappings". */
function describeHeld({ fds, fdCount, mappingCount }: Holder): string {
  const more = fdCount - fds.length;
  const mappings = mappingCount === 1 ? "1 mapping" : `${mappingCount} mappings`;
  return [fdCount > 0 && `fd ${fds.join(", ")}${more > 0 ? ` and ${more} more` : ""}`, mappingCount > 0 && mappings]
    .filter(Boolean)
    .join("; ");
}

/** What could not be seen, on stderr: it goes with what was printed and is no part of it. */
export function tellUnseen({ notes }: Visibility): void {
  for (const note of notes) notify(`${paint(`note: ${harmless(note)}`, "yellow")}\n`);
}

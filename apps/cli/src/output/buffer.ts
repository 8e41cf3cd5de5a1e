// A buffer in words.
import type { BufferView, Occupancy, Scrub } from "@lendbuf/shared/buffer";
import { formatSize } from "@lendbuf/shared/size";
import type { Style } from "./style.ts";
import type { Column } from "./table.ts";
import { relative } from "./time.ts";

/** Who has it: those that can be seen by name, the others by number. */
export function describeHolders({ current, occupied }: Occupancy): string {
  const seen = current.map(({ id, account }) => `${account} (${id})`);
  const hidden = occupied - current.length;
  if (hidden > 0) seen.push(`${hidden} other${hidden === 1 ? "" : "s"}`);
  return seen.join(", ");
}

function styleOf({ state }: Occupancy): Style {
  if (state === "free") return "green";
  return state === "lent" || state === "offered" ? "cyan" : "red";
}

/** "#bench-3 Waveform memory" */
function describeAbout({ tags, description }: BufferView): string {
  return [...tags.map((tag) => `#${tag}`), description].filter(Boolean).join(" ");
}

/** When the last of the leases that can be seen ends. */
function describeEnds({ current }: Occupancy): string {
  const times = current.map(({ expiresAt }) => expiresAt).filter((at) => at !== null);
  return times.length === 0 ? "" : relative(Math.max(...times));
}

const NAME: Column<Occupancy> = { title: "BUFFER", cell: ({ name }) => name };

/** Of what is taken. */
export const OCCUPANCY_COLUMNS: readonly Column<Occupancy>[] = [
  { title: "STATE", cell: ({ state }) => state, style: styleOf },
  { title: "HELD BY", cell: describeHolders },
  {
    title: "WAITING",
    cell: ({ waiting }) => (waiting === 0 ? "" : String(waiting)),
    align: "right",
    leaveOut: 3,
  },
  { title: "ENDS", cell: describeEnds, leaveOut: 2 },
];

export const BUFFER_COLUMNS: readonly Column<BufferView>[] = [
  NAME,
  { title: "SIZE", cell: ({ size }) => formatSize(size), align: "right", leaveOut: 4 },
  ...OCCUPANCY_COLUMNS,
  { title: "ABOUT", cell: describeAbout, leaveOut: 1 },
];

export const TAKEN_COLUMNS: readonly Column<Occupancy>[] = [NAME, ...OCCUPANCY_COLUMNS];

function describeScrub(scrub: Scrub): string {
  if (scrub === "none") return "none: the next borrower finds what is there";
  if (scrub === "zero") return "zeroed before the next borrower";
  return `filled with ${scrub.pattern} (${scrub.width} bits) before the next borrower`;
}

/** All that is known of one. */
export function factsOf(buffer: BufferView): [name: string, value: string][] {
  const { ranges, region, device, size, share, scrub, state, waiting } = buffer;
  const hex = (bytes: number) => `0x${bytes.toString(16)}`;
  return [
    ["buffer", buffer.name],
    ["about", buffer.description],
    ["tags", buffer.tags.join(" ") || "none"],
    ["size", formatSize(size)],
    [
      "of",
      `${device}, region ${region}, ${ranges.map(({ offset, length }) => `${hex(offset)}+${hex(length)}`).join(", ")}`,
    ],
    ["lent", share === "shared" ? "to any number of readers at a time" : "to one writer, or to readers who share it"],
    ["scrub", describeScrub(scrub)],
    ["state", buffer.held ? `${state}: ${buffer.held.reason}; \`lendbuf lift\` lends it again` : state],
    ["held by", describeHolders(buffer) || "nobody"],
    ["waiting", String(waiting)],
    ["comes", buffer.builtin ? "with the device" : "from a definition; `lendbuf undefine` removes it"],
  ];
}

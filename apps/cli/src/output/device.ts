import type { Device } from "@lendbuf/shared/device";
import { formatSize } from "@lendbuf/shared/size";
import type { Column } from "./table.ts";

/** "ftruncate, one buffer at a time": how an end is enforced here, or why it cannot be. */
function describeRevoke({ capability }: Device): string {
  if (!capability) return "not tested yet";
  if (!capability.works) return `none: ${capability.detail}`;
  const scope = { buffer: "", device: ", the whole device at once", none: ", cannot be revoked" }[capability.scope];
  return `${capability.method ?? "none"}${scope}`;
}

export const DEVICE_COLUMNS: readonly Column<Device>[] = [
  { title: "DEVICE", cell: ({ name }) => name },
  { title: "STATE", cell: ({ state }) => state, style: ({ state }) => (state === "ready" ? "green" : "red") },
  { title: "KIND", cell: ({ kind }) => kind, leaveOut: 3 },
  {
    title: "REGIONS",
    cell: ({ regions }) =>
      regions
        .filter(({ size }) => size > 0)
        .map(({ index, size }) => `${index}: ${formatSize(size)}`)
        .join(", "),
    leaveOut: 2,
  },
  { title: "REVOKES BY", cell: describeRevoke, leaveOut: 4 },
  { title: "ABOUT", cell: ({ problem, description }) => problem ?? description, leaveOut: 1 },
];

import { type Capability, type Device, exporterOf } from "@lendbuf/shared/device";
import { formatSize } from "@lendbuf/shared/size";
import type { Column } from "./table.ts";

/** "ftruncate, one buffer at a time": how an end is enforced here, or why it cannot be. */
function describeRevoke(device: Device): string {
  const usual = exporterOf(device);
  if (!usual) return "not tested yet";
  if (!usual.works) return `none: ${usual.detail}`;
  const others = device.exporters.filter((one) => one.works && one !== usual);
  return [wordsFor(usual), ...others.map((one) => `${one.exporter}: ${wordsFor(one)}`)].join("; ");
}

function wordsFor({ method, scope }: Capability): string {
  return `${method ?? "none"}${{ buffer: "", device: ", the whole device at once", none: ", cannot be revoked" }[scope]}`;
}

export const DEVICE_COLUMNS: readonly Column<Device>[] = [
  { title: "DEVICE", cell: ({ name }) => name },
  {
    title: "STATE",
    cell: ({ state, suspended }) => (suspended ? "suspended" : state),
    style: ({ state, suspended }) => (state !== "ready" ? "red" : suspended ? "yellow" : "green"),
  },
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

import { type Capability, type Device, exporterOf } from "@lendbuf/shared/device";
import { formatSize } from "@lendbuf/shared/size";
import type { Column } from "./table.ts";
import { clock } from "./time.ts";

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

function stateOf({ state, suspended, drained }: Device): string {
  const words = suspended ? "suspended" : state;
  if (!drained) return words;
  return `${state === "ready" && !suspended ? "" : `${words}, `}drained${drained.until === null ? "" : ` until ${clock(drained.until)}`}`;
}

export const DEVICE_COLUMNS: readonly Column<Device>[] = [
  { title: "DEVICE", cell: ({ name }) => name },
  {
    title: "STATE",
    cell: stateOf,
    style: ({ state, suspended, drained }) => (state !== "ready" ? "red" : suspended || drained ? "yellow" : "green"),
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
  {
    title: "ABOUT",
    cell: ({ problem, drained, description }) => problem ?? drained?.reason ?? description,
    leaveOut: 1,
  },
];

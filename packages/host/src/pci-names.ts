import type { HostFiles } from "./host-files.ts";

const PLACES = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];

/** What pci.ids calls a vendor and its product, by their ids of four hex digits; null where it is not installed, or does not know them. */
export function pciNames(
  files: HostFiles,
  vendorId: string,
  deviceId: string,
): { vendor: string | null; product: string | null } {
  const lines = linesOf(files);
  const start = lines.findIndex((line) => line.startsWith(`${vendorId}  `));
  if (start < 0) return { vendor: null, product: null };
  let product: string | null = null;
  // Its products follow, each indented by a tab; theirs by two.
  for (let at = start + 1; lines[at]?.startsWith("\t") || lines[at]?.startsWith("#"); at++)
    if (lines[at]!.startsWith(`\t${deviceId}  `)) product = lines[at]!.slice(7);
  return { vendor: lines[start]!.slice(6), product };
}

const read = new WeakMap<HostFiles, string[]>();

/** Once: a megabyte that changes with the distribution's package. */
function linesOf(files: HostFiles): string[] {
  let lines = read.get(files);
  if (!lines) {
    const place = PLACES.find((path) => files.exists(path));
    lines = (place && files.read(place)?.split("\n")) || [];
    read.set(files, lines);
  }
  return lines;
}

import { existsSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";
import type { PciAddress } from "@lendbuf/shared/device";

const SYSFS = "/sys/bus/pci";
const NAMES = ["/usr/share/misc/pci.ids", "/usr/share/hwdata/pci.ids"];

/** The functions that are bound to vfio-pci, by their BDFs, in order. */
export function vfioFunctions(): string[] {
  return list(join(SYSFS, "drivers/vfio-pci")).filter((name) =>
    /^[0-9a-f]{4,}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/.test(name),
  );
}

/** What sysfs tells of a function; undefined where it is not there. */
export function describeFunction(bdf: string): PciAddress | undefined {
  const folder = join(SYSFS, "devices", bdf);
  const vendorId = read(join(folder, "vendor"))?.slice(2);
  const deviceId = read(join(folder, "device"))?.slice(2);
  if (!vendorId || !deviceId) return undefined;
  const node = Number(read(join(folder, "numa_node")) ?? -1);
  return {
    bdf,
    vendorId,
    deviceId,
    ...nameOf(vendorId, deviceId),
    driver: linkName(join(folder, "driver")),
    iommuGroup: groupOf(bdf, folder),
    numaNode: node >= 0 ? node : null,
  };
}

function groupOf(bdf: string, folder: string): PciAddress["iommuGroup"] {
  const group = linkName(join(folder, "iommu_group"));
  if (group === null) return null;
  const others = list(join(folder, "iommu_group/devices"))
    .filter((name) => name !== bdf)
    .map((name) => ({ bdf: name, driver: linkName(join(SYSFS, "devices", name, "driver")) }));
  return { id: Number(group), others };
}

/** pci.ids: a vendor's line begins with its id, those of its products follow, indented by a tab. */
function nameOf(vendorId: string, deviceId: string): { vendor: string | null; product: string | null } {
  const lines = names();
  const start = lines.findIndex((line) => line.startsWith(`${vendorId}  `));
  if (start < 0) return { vendor: null, product: null };
  let product: string | null = null;
  for (let at = start + 1; lines[at]?.startsWith("\t") || lines[at]?.startsWith("#"); at++)
    if (lines[at]!.startsWith(`\t${deviceId}  `)) product = lines[at]!.slice(7);
  return { vendor: lines[start]!.slice(6), product };
}

let loaded: string[] | undefined;

/** Read once: they change with the distribution's package. */
function names(): string[] {
  const path = NAMES.find((name) => existsSync(name));
  loaded ??= path ? readFileSync(path, "utf8").split("\n") : [];
  return loaded;
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return undefined;
  }
}

function linkName(path: string): string | null {
  try {
    return basename(readlinkSync(path));
  } catch {
    return null;
  }
}

function list(path: string): string[] {
  try {
    return readdirSync(path).sort();
  } catch {
    return [];
  }
}

import type { HostFiles } from "./host-files.ts";

export const PCI = "/sys/bus/pci";
const BDF = /^(?:[0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]$/i;

/** One function of a PCI device, as sysfs tells of it. */
export interface PciFunction {
  bdf: string;
  /** `1af4:1110` */
  id: string;
  driver: string | null;
  /** Where it is in sysfs; what lies below it are its own devices. */
  path: string;
  /** Of VFs: none for others. */
  virtualFunctions: string[];
  iommuGroup: string | null;
  /** All of the group, itself too. */
  groupMembers: string[];
}

/** `01:00.0` and `0000:01:00.0` are the same function; undefined where it is no address at all. */
export function parseBdf(text: string): string | undefined {
  if (!BDF.test(text)) return undefined;
  return (text.split(":").length === 3 ? text : `0000:${text}`).toLowerCase();
}

/** Undefined where the host has no such function. */
export function pciFunction(files: HostFiles, bdf: string): PciFunction | undefined {
  const folder = `${PCI}/devices/${bdf}`;
  const path = files.realPath(folder);
  if (!path) return undefined;
  const idOf = (file: string) => files.read(`${folder}/${file}`)?.replace(/^0x/, "") ?? "????";
  return {
    bdf,
    id: `${idOf("vendor")}:${idOf("device")}`,
    driver: files.linkName(`${folder}/driver`),
    path,
    virtualFunctions: files
      .list(folder)
      .filter((name) => name.startsWith("virtfn"))
      .flatMap((name) => files.linkName(`${folder}/${name}`) ?? []),
    iommuGroup: files.linkName(`${folder}/iommu_group`),
    groupMembers: files.list(`${folder}/iommu_group/devices`),
  };
}

/** The functions that vfio-pci has. */
export function vfioFunctions(files: HostFiles): PciFunction[] {
  return files
    .list(`${PCI}/drivers/vfio-pci`)
    .filter((name) => BDF.test(name))
    .flatMap((bdf) => pciFunction(files, bdf) ?? []);
}

/** Drivers that leave a function of the group alone: VFIO's own, and those that do no DMA for themselves. */
const HARMLESS = /^(vfio-pci|.*[-_]vfio[-_]pci|pci-stub|pcieport)$/;

/** The other members of its IOMMU group whose drivers keep VFIO from opening it. */
export function membersInTheWay(files: HostFiles, { bdf, groupMembers }: PciFunction): PciFunction[] {
  return groupMembers
    .filter((member) => member !== bdf)
    .flatMap((member) => pciFunction(files, member) ?? [])
    .filter(({ driver }) => driver !== null && !HARMLESS.test(driver));
}

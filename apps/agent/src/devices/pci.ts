import { HostFiles } from "@lendbuf/host/host-files";
import { PCI, pciFunction, vfioFunctions } from "@lendbuf/host/pci-function";
import { pciNames } from "@lendbuf/host/pci-names";
import type { PciAddress } from "@lendbuf/shared/device";

const files = new HostFiles();

/** The BDFs of the functions that are bound to vfio-pci, in order. */
export function vfioAddresses(): string[] {
  return vfioFunctions(files).map(({ bdf }) => bdf);
}

/** What sysfs and pci.ids tell of a function; undefined where it is not there. */
export function describeFunction(bdf: string): PciAddress | undefined {
  const found = pciFunction(files, bdf);
  if (!found) return undefined;
  const [vendorId = "", deviceId = ""] = found.id.split(":");
  const node = Number(files.read(`${PCI}/devices/${bdf}/numa_node`) ?? -1);
  const others = found.groupMembers.filter((member) => member !== bdf);
  return {
    bdf,
    vendorId,
    deviceId,
    ...pciNames(files, vendorId, deviceId),
    driver: found.driver,
    iommuGroup:
      found.iommuGroup === null
        ? null
        : {
            id: Number(found.iommuGroup),
            others: others.map((member) => ({ bdf: member, driver: pciFunction(files, member)?.driver ?? null })),
          },
    numaNode: node >= 0 ? node : null,
  };
}

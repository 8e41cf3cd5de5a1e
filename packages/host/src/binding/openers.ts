import type { HostFiles } from "../host-files.ts";
import { PCI, type PciFunction } from "../pci-function.ts";

export interface Opener {
  pid: number;
  command: string;
}

/** The processes that have a function's VFIO nodes open, as far as /proc shows them: what is not seen may have it open all the same. */
export function openersOf(files: HostFiles, { bdf, iommuGroup }: PciFunction): Opener[] {
  const cdevs = files.list(`${PCI}/devices/${bdf}/vfio-dev`).map((name) => `/dev/vfio/devices/${name}`);
  const nodes = new Set([...cdevs, `/dev/vfio/${iommuGroup}`]);
  return files
    .list("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) =>
      files.list(`/proc/${pid}/fd`).some((fd) => nodes.has(files.linkTarget(`/proc/${pid}/fd/${fd}`) ?? "")),
    )
    .map((pid) => ({ pid: Number(pid), command: files.read(`/proc/${pid}/comm`) ?? "?" }));
}

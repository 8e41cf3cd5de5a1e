import { basename } from "node:path";
import type { HostFiles } from "../host-files.ts";
import type { PciFunction } from "../pci-function.ts";
import { defaultRouteInterfaces, interfacesOf, isBelow } from "./interfaces.ts";
import { type Mount, mounts } from "./mounts.ts";

/** What the host loses with a function. */
export interface Losses {
  interfaces: string[];
  disks: string[];
  /** What lies on them and is mounted. */
  mounts: string[];
  virtualFunctions: string[];
  isScreen: boolean;
  /** Why the host cannot do without it; null where it can. */
  vital: string | null;
}

/** Without these the host stops, or does not start again. */
const VITAL = new Set(["/", "/usr", "/var", "/boot", "/boot/efi", "/efi", "[swap]"]);

export function lossesOf(files: HostFiles, { bdf, virtualFunctions }: PciFunction): Losses {
  const bdfs = [bdf, ...virtualFunctions];
  const interfaces = interfacesOf(files, bdfs);
  const used = mounts(files);
  const lost = used.filter(({ disks }) => disks.some((disk) => isBelow(`${disk}/`, bdfs))).map(({ at }) => at);
  const disks = disksBelow(files, bdfs);
  return {
    interfaces,
    disks,
    mounts: [...new Set(lost)],
    virtualFunctions,
    isScreen: files.read(`/sys/bus/pci/devices/${bdf}/boot_vga`) === "1",
    vital: vitalDisk(lost) ?? vitalRoute(files, interfaces) ?? unknownRoot(used, disks),
  };
}

function disksBelow(files: HostFiles, bdfs: readonly string[]): string[] {
  return files
    .list("/sys/class/block")
    .map((name) => files.realPath(`/sys/class/block/${name}`))
    .filter((place): place is string => isBelow(place, bdfs) && !files.exists(`${place}/partition`))
    .map((place) => basename(place));
}

function vitalDisk(lost: readonly string[]): string | null {
  const at = lost.find((one) => VITAL.has(one));
  return at === undefined ? null : `a disk of it carries ${at}`;
}

function vitalRoute(files: HostFiles, interfaces: readonly string[]): string | null {
  const routes = defaultRouteInterfaces(files);
  const name = interfaces.find((one) => routes.has(one));
  return name === undefined ? null : `the default route leads through its interface ${name}`;
}

/** On what / lies cannot be told everywhere (ZFS, live systems): then no disk is safe to take. */
function unknownRoot(used: readonly Mount[], disks: readonly string[]): string | null {
  const root = used.findLast(({ at }) => at === "/");
  if (disks.length === 0 || root?.isDiskless || (root && root.disks.length > 0)) return null;
  return "it has disks, and on which disk / lies cannot be told";
}

import type { HostFiles } from "../host-files.ts";

const NET = "/sys/class/net";

/** The network interfaces of the functions, by their places in sysfs. */
export function interfacesOf(files: HostFiles, bdfs: readonly string[]): string[] {
  return files.list(NET).filter((name) => isBelow(files.realPath(`${NET}/${name}`), bdfs));
}

/** Those that the default routes lead through, also under bridges, bonds and VLANs. */
export function defaultRouteInterfaces(files: HostFiles): Set<string> {
  const found = new Set<string>();
  const add = (name: string) => {
    if (found.has(name)) return;
    found.add(name);
    for (const entry of files.list(`${NET}/${name}`)) if (entry.startsWith("lower_")) add(entry.slice("lower_".length));
  };
  for (const name of [...ipv4(files), ...ipv6(files)]) add(name);
  return found;
}

// Columns: interface, destination, gateway, flags, reference count, use, metric, mask.
function ipv4(files: HostFiles): string[] {
  return rows(files, "route")
    .filter(([, destination, , , , , , mask]) => destination === "00000000" && mask === "00000000")
    .map(([name]) => name!);
}

// Columns: destination, its prefix's length, source, its prefix's length, next hop, metric, reference count, use, flags, interface.
function ipv6(files: HostFiles): string[] {
  return rows(files, "ipv6_route")
    .filter(([destination, length]) => length === "00" && /^0+$/.test(destination!))
    .map((columns) => columns.at(-1)!)
    .filter((name) => name !== "lo"); // where what is unreachable goes
}

/** Of the host's first process: this one may live in a network namespace of its own. */
function rows(files: HostFiles, table: string): string[][] {
  const text = files.read(`/proc/1/net/${table}`) ?? files.read(`/proc/net/${table}`) ?? "";
  return text
    .split("\n")
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length > 1);
}

export function isBelow(place: string | undefined, bdfs: readonly string[]): boolean {
  return bdfs.some((bdf) => place?.includes(`/${bdf}/`));
}

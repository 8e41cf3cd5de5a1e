import type { Holder, Visibility } from "@lendbuf/shared/holder";
import type { Core } from "../core.ts";
import type { Scan } from "./scans.ts";
import { unseenWords } from "./unseen.ts";

/** Who holds a file, everybody else before ourselves. */
export function holdersIn(core: Core, scan: Scan, key: string): Holder[] {
  const wardens = new Set([...core.devices.values()].map((device) => device.view().warden?.pid));
  const roleOf = (pid: number) => (pid === process.pid ? "agent" : wardens.has(pid) ? "warden" : null);
  return (scan.holders.get(key) ?? [])
    .map(({ pid, uid, command, fds, fdCount, mappingCount }) => {
      return { pid, uid, command, role: roleOf(pid), fds, fdCount, mappingCount } satisfies Holder;
    })
    .sort((one, other) => Number(one.role !== null) - Number(other.role !== null) || one.pid - other.pid);
}

export function visibilityOf(scan: Scan): Visibility {
  const { at, processes, hidden } = scan;
  return { at, processes, hidden, notes: unseenWords(scan) };
}

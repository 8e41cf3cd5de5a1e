import { basename, dirname } from "node:path";
import type { HostFiles } from "../host-files.ts";

/** A file system, or a swap area, that is in use. */
export interface Mount {
  /** Where; `[swap]` for a swap area. */
  at: string;
  /** The disks under it, by their places in sysfs, through partitions, LVM, RAID, LUKS and NVMe's multipath. */
  disks: string[];
  /** It lies on no disk of this host. */
  isDiskless: boolean;
}

const DISKLESS = new Set(["rootfs", "ramfs", "tmpfs", "devtmpfs", "nfs", "nfs4", "cifs", "9p", "virtiofs"]);

/** Of the host's first process: this one may live in a mount namespace of its own. */
export function mounts(files: HostFiles): Mount[] {
  const text = files.read("/proc/1/mountinfo") || files.read("/proc/self/mountinfo") || "";
  return [...text.split("\n").flatMap((line) => mountOf(files, line)), ...swaps(files)];
}

// "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw": see proc_pid_mountinfo(5).
function mountOf(files: HostFiles, line: string): Mount[] {
  const [left, right] = line.split(" - ");
  const [, , number, , at] = left?.split(" ") ?? [];
  const [type, source] = right?.split(" ") ?? [];
  if (!number || !at || !type || !source) return [];
  const disks = namesOf(files, number, unescaped(source)).flatMap((name) => disksUnder(files, name));
  return [{ at: unescaped(at), disks, isDiskless: DISKLESS.has(type) }];
}

function swaps(files: HostFiles): Mount[] {
  const lines = files.read("/proc/swaps")?.split("\n").slice(1) ?? [];
  return lines.map((line) => {
    const path = unescaped(line.split(/\s/)[0]!);
    const disks = disksUnder(files, basename(files.realPath(path) ?? path));
    return { at: "[swap]", disks, isDiskless: false };
  });
}

/** The block devices that a mount names itself. */
function namesOf(files: HostFiles, number: string, source: string): string[] {
  const named = files.linkName(`/sys/dev/block/${number}`);
  // File systems over several devices (btrfs, bcachefs) have a number of their own.
  const names = named ? [named] : source.split(":").flatMap((path) => baseOf(files, path));
  return [...new Set(names.flatMap((name) => btrfsOf(files, name)))];
}

function baseOf(files: HostFiles, path: string): string[] {
  const real = path.startsWith("/dev/") ? files.realPath(path) : undefined;
  return real ? [basename(real)] : [];
}

/** All devices of the btrfs that this one is a part of, or just itself. */
function btrfsOf(files: HostFiles, name: string): string[] {
  const members = files.list("/sys/fs/btrfs").map((id) => files.list(`/sys/fs/btrfs/${id}/devices`));
  return members.find((names) => names.includes(name)) ?? [name];
}

function disksUnder(files: HostFiles, name: string): string[] {
  const place = files.realPath(`/sys/class/block/${name}`);
  if (!place) return [];
  const disk = files.exists(`${place}/partition`) ? dirname(place) : place;
  const under = files.list(`${disk}/slaves`);
  if (under.length > 0) return under.flatMap((one) => disksUnder(files, one));
  if (!disk.includes("/nvme-subsystem/")) return [disk];
  // One namespace behind several controllers: each of them carries it.
  const controllers = files.list(dirname(disk)).filter((one) => /^nvme\d+$/.test(one));
  return controllers.flatMap((one) => files.realPath(`${dirname(disk)}/${one}`) ?? []);
}

/** Blanks and the like are written `\040`. */
function unescaped(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8)));
}

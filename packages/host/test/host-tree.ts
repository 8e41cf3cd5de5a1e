import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";

interface FunctionOptions {
  driver?: string;
  group?: number;
  id?: string;
  /** Below which other function it lies; a VF's PF has a link to it instead. */
  virtualOf?: string;
}

/** Files as a host has them in /sys, /proc and /dev, in a temporary folder. */
export class HostTree implements Disposable {
  readonly root = mkdtempSync(join(tmpdir(), "lendbuf-host-"));

  constructor() {
    this.file("/proc/sys/kernel/osrelease", "7.3.4-amd64\n");
    this.file("/proc/cmdline", "BOOT_IMAGE=/vmlinuz-7.3.4-amd64 root=UUID=0001 ro quiet secret=1 iommu=pt\n");
    this.file("/proc/1/mountinfo", "22 1 8:2 / / rw,relatime shared:1 - ext4 /dev/sda2 rw\n");
    this.file(
      "/proc/1/net/route",
      "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n",
    );
    this.file("/sys/bus/pci/drivers_probe", "");
    this.file("/sys/bus/pci/drivers/vfio-pci/unbind", "").file("/sys/bus/pci/drivers/vfio-pci/bind", "");
  }

  folder(path: string): this {
    mkdirSync(join(this.root, path), { recursive: true });
    return this;
  }

  remove(path: string): this {
    rmSync(join(this.root, path));
    return this;
  }

  file(path: string, text: string | Uint8Array): this {
    this.folder(dirname(path));
    writeFileSync(join(this.root, path), text);
    return this;
  }

  /** Relative, as sysfs has them. */
  link(path: string, target: string): this {
    this.folder(dirname(path));
    symlinkSync(relative(dirname(path), target), join(this.root, path));
    return this;
  }

  pci(bdf: string, { driver, group, id = "8086:10fb", virtualOf }: FunctionOptions = {}): this {
    const place = placeOf(bdf);
    const [vendor, device] = id.split(":");
    this.file(`${place}/vendor`, `0x${vendor}\n`).file(`${place}/device`, `0x${device}\n`);
    this.file(`${place}/driver_override`, "(null)\n");
    this.link(`/sys/bus/pci/devices/${bdf}`, place);
    if (driver) {
      this.file(`/sys/bus/pci/drivers/${driver}/unbind`, "").file(`/sys/bus/pci/drivers/${driver}/bind`, "");
      this.link(`${place}/driver`, `/sys/bus/pci/drivers/${driver}`);
      this.link(`/sys/bus/pci/drivers/${driver}/${bdf}`, place);
    }
    if (group !== undefined) {
      this.link(`${place}/iommu_group`, `/sys/kernel/iommu_groups/${group}`);
      this.link(`/sys/kernel/iommu_groups/${group}/devices/${bdf}`, place);
    }
    if (virtualOf) this.link(`${placeOf(virtualOf)}/virtfn0`, place);
    return this;
  }

  interface(name: string, bdf: string): this {
    return this.folder(`${placeOf(bdf)}/net/${name}`).link(`/sys/class/net/${name}`, `${placeOf(bdf)}/net/${name}`);
  }

  /** A bridge, a bond or a VLAN over another. */
  upper(name: string, lower: string): this {
    const place = `/sys/devices/virtual/net/${name}`;
    return this.link(`/sys/class/net/${name}`, place).link(`${place}/lower_${lower}`, `/sys/class/net/${lower}`);
  }

  defaultRoute(name: string): this {
    return this.file(
      "/proc/1/net/route",
      `Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n${name}\t00000000\t0102A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n`,
    );
  }

  /** A disk with one partition, `sda` and `sda2`, numbered 8:0 and 8:2. */
  disk(name: string, bdf: string, major = 8): this {
    return this.blockDevice(name, `${placeOf(bdf)}/ata1/block/${name}`, `${major}:0`).partition(name, bdf, major);
  }

  partition(disk: string, bdf: string, major: number): this {
    const place = `${placeOf(bdf)}/ata1/block/${disk}/${disk}2`;
    return this.blockDevice(`${disk}2`, place, `${major}:2`).file(`${place}/partition`, "2\n");
  }

  /** LVM, LUKS or RAID over others. */
  stacked(name: string, number: string, slaves: readonly string[]): this {
    const place = `/sys/devices/virtual/block/${name}`;
    this.blockDevice(name, place, number);
    for (const slave of slaves) this.link(`${place}/slaves/${slave}`, `/sys/class/block/${slave}`);
    return this;
  }

  blockDevice(name: string, place: string, number: string): this {
    this.folder(place).link(`/sys/class/block/${name}`, place).link(`/sys/dev/block/${number}`, place);
    return this.file(`/dev/${name}`, "");
  }

  /** Each of `[mount point, "8:2", type, source]`. */
  mounts(...rows: readonly (readonly [at: string, number: string, type: string, source: string])[]): this {
    const lines = rows.map(
      ([at, number, type, source], i) => `${22 + i} 1 ${number} / ${at} rw - ${type} ${source} rw`,
    );
    return this.file("/proc/1/mountinfo", `${lines.join("\n")}\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true });
  }
}

function placeOf(bdf: string): string {
  return `/sys/devices/pci0000:00/${bdf}`;
}

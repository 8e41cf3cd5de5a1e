import { rmSync, symlinkSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { HostControl } from "../src/host-control.ts";

const PCI = "/sys/bus/pci";

/**
 * Does with a tree's links what the kernel does when its files are written: the lab machine tries the real one, but none fails on command.
 * `failAt`: which of the calls that change something fails, counted from 1; of a write the half is done that can be.
 */
export class KernelInTree extends HostControl {
  readonly #native: Readonly<Record<string, string>>;
  readonly #failAt: number;
  calls = 0;

  /** `native`: the driver that a function gets where nothing else is asked for. */
  constructor(root: string, native: Readonly<Record<string, string>>, failAt = 0) {
    super(root);
    this.#native = native;
    this.#failAt = failAt;
  }

  override async write(path: string, text: string): Promise<void> {
    this.#count("write");
    await super.write(path, text.padEnd(8));
    const bdf = text.trim();
    if (path.endsWith("/unbind")) this.#drop(bdf);
    if (path === `${PCI}/drivers_probe`) this.#choose(bdf);
    if (path.endsWith("/bind")) this.#set(bdf, path.split("/").at(-2)!);
  }

  override async replace(path: string, text: string): Promise<void> {
    this.#count("replace");
    await super.replace(path, text);
  }

  override async remove(path: string): Promise<void> {
    this.#count("remove");
    await super.remove(path);
  }

  override async loadModule(name: string): Promise<void> {
    this.#count(`modprobe ${name}`);
  }

  #count(syscall: string): void {
    this.calls++;
    if (this.calls === this.#failAt)
      throw Object.assign(new Error(`EIO: i/o error, ${syscall}`), { code: "EIO", syscall });
  }

  #choose(bdf: string): void {
    if (this.linkName(`${PCI}/devices/${bdf}/driver`)) return;
    const override = this.read(`${PCI}/devices/${bdf}/driver_override`);
    const driver = override && override !== "(null)" ? override : this.#native[bdf];
    if (driver) this.#set(bdf, driver);
  }

  /** @throws ENODEV where an override stands against it */
  #set(bdf: string, driver: string): void {
    const override = this.read(`${PCI}/devices/${bdf}/driver_override`);
    if (override && override !== "(null)" && override !== driver)
      throw Object.assign(new Error("ENODEV: no such device, write"), { code: "ENODEV", syscall: "write" });
    symlinkSync(join("../../../bus/pci/drivers", driver), join(this.root, `${PCI}/devices/${bdf}/driver`));
  }

  #drop(bdf: string): void {
    unlinkSync(join(this.root, `${PCI}/devices/${bdf}/driver`));
    rmSync(join(this.root, `${PCI}/drivers/vfio-pci/${bdf}`), { force: true });
  }
}

import { readdirSync, readFileSync } from "node:fs";

const ROOT = "/sys/bus/pci/devices";

/** The BDF of the machine's device of that vendor and kind, such as "1af4:1110". */
export function addressOf(id: string): string {
  const read = (address: string, file: string) => readFileSync(`${ROOT}/${address}/${file}`, "utf8").trim().slice(2);
  const found = readdirSync(ROOT).find((one) => `${read(one, "vendor")}:${read(one, "device")}` === id);
  if (!found) throw new Error(`The machine has no PCI device ${id}`);
  return found;
}

export const IVSHMEM = "1af4:1110";
export const EDU = "1234:11e8";
/** virtio-rng-pci: an I/O BAR, and a BAR that is all MSI-X table. */
export const RNG = "1af4:1005";

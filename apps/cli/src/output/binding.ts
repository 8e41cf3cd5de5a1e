import type { Losses } from "@lendbuf/host/binding/losses";
import { VFIO } from "@lendbuf/host/binding/rebind";
import { rulePath } from "@lendbuf/host/binding/udev-rule";
import type { Giving } from "@lendbuf/host/binding/unbind";
import type { PciFunction } from "@lendbuf/host/pci-function";

/** What a bind takes away, line by line. */
export function describeTaking({ bdf, id, driver }: PciFunction, losses: Losses, persist: boolean): string[] {
  const move = driver === VFIO ? `is bound to ${VFIO} already` : `goes from ${driver ?? "no driver"} to ${VFIO}`;
  const lost = [
    ...losses.interfaces.map((name) => `the network interface ${name} goes away`),
    ...losses.disks.map((name) => `the disk ${name} goes away`),
    ...losses.mounts.map((at) => `${at} is mounted from it: unmount it first, or lose what is not written yet`),
    ...losses.virtualFunctions.map((name) => `its virtual function ${name} goes away`),
    ...(losses.isScreen ? ["the screen that this host started with goes dark"] : []),
  ];
  return [
    `${bdf} (${id}) ${move}:`,
    ...(lost.length > 0 ? lost : ["nothing that this host shows is lost with it"]).map((line) => `  - ${line}`),
    `  - ${persist ? `it stays so after restarts, by ${rulePath(bdf)}` : "until the next restart of this host (--persist: for good)"}`,
  ];
}

/** What an unbind takes from whom. */
export function describeGiving({ function_: { bdf, id, driver }, openers, hasRule }: Giving): string[] {
  return [
    `${bdf} (${id}) ${driver === VFIO ? `goes from ${VFIO} back to the driver that the kernel chooses` : `stays with ${driver ?? "no driver"}`}:`,
    ...(openers.length > 0
      ? openers.map(
          ({ pid, command }) =>
            `  - ${command} (pid ${pid}) has it open: the kernel asks for it and waits; an agent then ends what it lent of it as device-lost`,
        )
      : ["  - nobody is seen to have it open"]),
    ...(hasRule ? [`  - ${rulePath(bdf)} is removed, so this lasts`] : []),
  ];
}

/** How it stands, and what to do next. */
export function describeBound({ bdf, driver, iommuGroup }: PciFunction): string[] {
  if (driver === VFIO)
    return [
      `${bdf} is bound to ${VFIO}, IOMMU group ${iommuGroup}.`,
      `Let the agent's user open /dev/vfio/${iommuGroup} (or /dev/vfio/devices/* and /dev/iommu), by the udev rule of docs/hardware.md; \`lendbuf doctor\` says whether it can.`,
    ];
  return [
    driver
      ? `${bdf} is bound to ${driver}.`
      : `${bdf} has no driver: load its module (modprobe $(cat /sys/bus/pci/devices/${bdf}/modalias)).`,
  ];
}

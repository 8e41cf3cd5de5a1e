import type { PciFunction } from "../pci-function.ts";

/** The file that keeps a function with vfio-pci over restarts. */
export function rulePath(bdf: string): string {
  return `/etc/udev/rules.d/70-lendbuf-${bdf}.rules`;
}

// The number in the file's name comes before udev's own 80-drivers.rules, by which the kernel's usual driver is loaded.
/** Only for the same kind of device in the same place: another card in the slot is left alone. */
export function ruleFor({ bdf, id }: PciFunction): string {
  const [vendor, device] = id.split(":");
  return `# Gives ${bdf} to vfio-pci, for Lendbuf. Made by \`lendbuf device bind --persist\`, removed by \`lendbuf device unbind\`.
ACTION=="add", SUBSYSTEM=="pci", KERNEL=="${bdf}", ATTR{vendor}=="0x${vendor}", ATTR{device}=="0x${device}", DRIVER!="vfio-pci", ATTR{driver_override}="vfio-pci", RUN{builtin}+="kmod load vfio-pci", RUN+="/bin/sh -c '${ruleCommand("%p", "%k")}'"
`;
}

/** What the rule runs, with udev's %p and %k filled in: a driver that is built into the kernel has the function already. */
export function ruleCommand(path: string, bdf: string): string {
  return `cd /sys${path}; if [ -e driver ]; then echo ${bdf} > driver/unbind; fi; echo ${bdf} > /sys/bus/pci/drivers_probe`;
}

import type { HostFiles } from "../host-files.ts";
import { type Check, fine } from "./check.ts";

const OFF = /\b((?:intel_|amd_)?iommu=off|iommu\.off)\b/;
const UNSAFE_MODE = "/sys/module/vfio/parameters/enable_unsafe_noiommu_mode";

export const iommuCheck: Check = {
  name: "iommu",
  look({ files }) {
    const units = files.list("/sys/class/iommu");
    const groups = files.list("/sys/kernel/iommu_groups");
    if (units.length === 0 || groups.length === 0) return [missing(files, units.length)];
    const found = [
      fine(
        "IOMMU",
        `${units.join(", ")}; ${groups.length} ${groups.length === 1 ? "group" : "groups"}${wordsOf(files)}`,
        "Devices can be given to user space safely.",
      ),
    ];
    if (files.read(UNSAFE_MODE) !== "Y") return found;
    return [
      ...found,
      {
        subject: "no-IOMMU mode",
        severity: "warning" as const,
        seen: `${UNSAFE_MODE} is Y`,
        means: "VFIO hands out devices without an IOMMU too: their DMA reaches all of the machine's memory.",
        advice: "Switch it off.",
        command: `echo N | sudo tee ${UNSAFE_MODE}`,
      },
    ];
  },
};

function missing(files: HostFiles, units: number) {
  const off = OFF.exec(files.read("/proc/cmdline") ?? "")?.[1];
  const isIntel = files.read("/proc/cpuinfo")?.includes("GenuineIntel") ?? false;
  return {
    subject: "IOMMU",
    severity: "problem" as const,
    seen: `${units === 0 ? "/sys/class/iommu is empty" : "there are no IOMMU groups"}${wordsOf(files)}`,
    means: "Without an IOMMU a device in user space could write to all of the machine's memory; VFIO hands out none.",
    advice: off
      ? `Take ${off} off the kernel's command line and restart.`
      : `Switch ${isIntel ? "VT-d" : "the IOMMU (VT-d, AMD-Vi, SMMU)"} on in the firmware's setup${isIntel ? ", add intel_iommu=on to the kernel's command line" : ""}, and restart. A virtual machine needs a virtual IOMMU from its hypervisor.`,
    command: "sudo dmesg | grep -iE 'DMAR|AMD-Vi|iommu'",
  };
}

/** Of the command line only what is about this. */
function wordsOf(files: HostFiles): string {
  const words =
    files
      .read("/proc/cmdline")
      ?.split(/\s+/)
      .filter((word) => /iommu/.test(word)) ?? [];
  return words.length > 0 ? `; the kernel's command line says ${words.join(" ")}` : "";
}

import { kernelConfig } from "../kernel-config.ts";
import { type Check, fine } from "./check.ts";

interface Option {
  name: string;
  /** What cannot be had without it. */
  without: string;
  severity: "note" | "problem";
}

const OPTIONS: readonly Option[] = [
  { name: "VFIO_PCI", without: "no PCI device can be lent", severity: "problem" },
  { name: "VFIO_PCI_DMABUF", without: "BARs cannot be exported as dma-bufs", severity: "problem" },
  {
    name: "VFIO_DEVICE_CDEV",
    without: "devices are opened through their IOMMU groups, which works as well",
    severity: "note",
  },
  { name: "IOMMUFD", without: "no client can import an export into an IOMMU by iommufd", severity: "note" },
  { name: "UDMABUF", without: "the udmabuf exporter is missing", severity: "note" },
  { name: "DMABUF_HEAPS", without: "the dma-heap exporter is missing", severity: "note" },
];

export const kconfigCheck: Check = {
  name: "kconfig",
  look({ files }) {
    const config = kernelConfig(files);
    if (!config)
      return [
        {
          subject: "Kconfig",
          severity: "note",
          seen: "neither /proc/config.gz nor /boot/config-* of this kernel can be read",
          means: "What the kernel was built with is not known; the other checks tell what works.",
          advice: "Nothing needs to be done. To know, let the agent's user read the configuration.",
          command: "ls -l /proc/config.gz /boot/config-$(uname -r)",
        },
      ];
    return OPTIONS.map(({ name, without, severity }) => {
      const value = config.of(name);
      if (value === "y" || value === "m") return fine(name, `CONFIG_${name}=${value}`, "The kernel has it.");
      return {
        subject: name,
        severity,
        seen: `CONFIG_${name} is not set in ${config.path}`,
        means: `In this kernel ${without}.`,
        advice:
          severity === "problem"
            ? `Use a kernel that is built with CONFIG_${name}; docs/hardware.md has a table of distributions.`
            : "Nothing needs to be done, unless you want it.",
        command: null,
      };
    });
  },
};

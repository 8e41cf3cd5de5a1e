import type { HostFiles } from "../host-files.ts";
import { kernelConfig } from "../kernel-config.ts";
import { type ModuleState, moduleState } from "../kernel-module.ts";
import { type Check, fine } from "./check.ts";

interface Module {
  name: string;
  option: string;
  for: string;
  /** What else tells that it is there. */
  sign: string;
  severity: "note" | "problem";
}

const MODULES: readonly Module[] = [
  { name: "vfio", option: "VFIO", for: "devices in user space", sign: "/sys/class/vfio", severity: "problem" },
  {
    name: "vfio_pci",
    option: "VFIO_PCI",
    for: "PCI devices in user space",
    sign: "/sys/bus/pci/drivers/vfio-pci",
    severity: "problem",
  },
  {
    name: "vfio_iommu_type1",
    option: "VFIO_IOMMU_TYPE1",
    for: "opening devices through their groups",
    sign: "/sys/module/vfio_iommu_type1",
    severity: "note",
  },
  {
    name: "iommufd",
    option: "IOMMUFD",
    for: "opening devices by their own nodes, and importing exports into an IOMMU",
    sign: "/dev/iommu",
    severity: "note",
  },
  { name: "udmabuf", option: "UDMABUF", for: "the udmabuf exporter", sign: "/dev/udmabuf", severity: "note" },
];

export const modulesCheck: Check = {
  name: "module",
  look: ({ files }) => MODULES.map((module) => finding(module, stateOf(files, module))),
};

function stateOf(files: HostFiles, { name, option, sign }: Module): ModuleState {
  const state = moduleState(files, name);
  if (state !== "missing") return state;
  return files.exists(sign) || kernelConfig(files)?.of(option) === "y" ? "built in" : "missing";
}

function finding({ name, for: purpose, severity }: Module, state: ModuleState) {
  if (state === "loaded" || state === "built in") return fine(name, `${name} is ${state}`, `It is for ${purpose}.`);
  const isNeeded = severity === "problem";
  if (state === "not loaded")
    return {
      subject: name,
      severity: isNeeded ? ("warning" as const) : ("note" as const),
      seen: `${name} is installed and not loaded`,
      means: `It is for ${purpose}.`,
      advice: isNeeded ? "Load it; `lendbuf device bind` does so too." : "Load it where you want that.",
      command: `sudo modprobe ${name}`,
    };
  return {
    subject: name,
    severity,
    seen: `this kernel has no ${name}`,
    means: `It is for ${purpose}${isNeeded ? ": none can be lent without it" : ""}.`,
    advice: isNeeded
      ? "Install your distribution's full kernel package (cloud kernels may lack it), or a kernel that has it."
      : "Nothing needs to be done, unless you want that.",
    command: isNeeded ? `modinfo ${name}` : null,
  };
}

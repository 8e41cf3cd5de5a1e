import type { HostFiles } from "../host-files.ts";
import { PCI, type PciFunction, vfioFunctions } from "../pci-function.ts";
import { type Check, fine } from "./check.ts";

/** A way to open a device: all its nodes are needed. */
interface Way {
  name: string;
  nodes: string[];
}

export const accessCheck: Check = {
  name: "access",
  look({ files }) {
    const functions = vfioFunctions(files);
    if (functions.length > 0) return functions.map((function_) => finding(files, function_));
    return [
      {
        subject: "vfio-pci",
        severity: "problem",
        seen: "no device is bound to vfio-pci",
        means: "There is no real device that the agent could lend.",
        advice:
          "Find the device's address, then `sudo lendbuf device bind ADDRESS`, which says first what that takes away.",
        command: "lspci -D",
      },
    ];
  },
};

function finding(files: HostFiles, function_: PciFunction) {
  const { bdf } = function_;
  const ways = waysTo(files, function_);
  const open = ways.find(({ nodes }) => nodes.every((node) => files.mayOpen(node)));
  const seen = ways.map(({ name, nodes }) => `${name}: ${nodes.map((node) => describeNode(files, node)).join(", ")}`);
  if (open) return fine(bdf, seen.join("; "), `uid ${process.getuid!()} may open it by its ${open.name}.`);
  return {
    subject: bdf,
    severity: "problem" as const,
    seen: seen.length > 0 ? seen.join("; ") : `${bdf} has neither a group nor a node of its own`,
    means: `uid ${process.getuid!()} may not open it, so it cannot be lent.`,
    advice:
      seen.length > 0
        ? "Let a group that the agent belongs to open the nodes: by the udev rule of docs/hardware.md for good, by chown until the next start."
        : "Look after the IOMMU first, then bind the device anew.",
    command: openingCommand(files, ways),
  };
}

/** For the way that only permissions stand against, where there is one. */
function openingCommand(files: HostFiles, ways: readonly Way[]): string {
  const way = ways.find(({ nodes }) => nodes.every((node) => files.exists(node)));
  if (!way) return "ls -l /dev/vfio /dev/vfio/devices /dev/iommu; sudo dmesg | grep -iE 'vfio|iommu'";
  return `sudo chown ${process.getuid!()} ${way.nodes.filter((node) => !files.mayOpen(node)).join(" ")}`;
}

function waysTo(files: HostFiles, { bdf, iommuGroup }: PciFunction): Way[] {
  const [cdev] = files.list(`${PCI}/devices/${bdf}/vfio-dev`);
  return [
    ...(cdev && files.exists(`/dev/vfio/devices/${cdev}`)
      ? [{ name: "own node", nodes: [`/dev/vfio/devices/${cdev}`, "/dev/iommu"] }]
      : []),
    ...(iommuGroup && files.exists(`/dev/vfio/${iommuGroup}`)
      ? [{ name: "group", nodes: [`/dev/vfio/${iommuGroup}`, "/dev/vfio/vfio"] }]
      : []),
  ];
}

function describeNode(files: HostFiles, node: string): string {
  const ownership = files.ownership(node);
  if (!ownership) return `${node} (not there)`;
  return files.mayOpen(node) ? node : `${node} (closed to this user: ${ownership})`;
}

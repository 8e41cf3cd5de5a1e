import { AgentError } from "@lendbuf/shared/errors";
import type { HostControl } from "../host-control.ts";
import type { HostFiles } from "../host-files.ts";
import { membersInTheWay, PCI, type PciFunction, pciFunction } from "../pci-function.ts";
import { type Losses, lossesOf } from "./losses.ts";
import { rebindSteps, ruleStep, VFIO } from "./rebind.ts";
import { runSteps, type Step } from "./steps.ts";
import { ruleFor } from "./udev-rule.ts";

/** What a bind is about to do to a function. */
export interface Taking {
  function_: PciFunction;
  losses: Losses;
}

/** @throws AgentError where it must not be done */
export function planBind(files: HostFiles, bdfs: readonly string[]): Taking[] {
  const functions = bdfs.map((bdf) => findFunction(files, bdf));
  for (const function_ of functions) refuseWithoutGroup(function_);
  const takings = functions.map((function_) => ({ function_, losses: lossesOf(files, function_) }));
  for (const taking of takings) refuseVital(taking);
  refuseHalfAGroup(files, functions);
  return takings;
}

/** Binds them all to vfio-pci, or leaves all as it was. */
export async function bind(
  host: HostControl,
  functions: readonly PciFunction[],
  { persist, onSlow }: { persist: boolean; onSlow: (what: string) => void },
): Promise<void> {
  await runSteps(
    [
      loadStep(host),
      ...functions.filter(({ driver }) => driver !== VFIO).flatMap((function_) => rebindSteps(host, function_, VFIO)),
      ...(persist ? functions.map((function_) => ruleStep(host, function_, ruleFor(function_))) : []),
    ],
    onSlow,
  );
}

/** @throws AgentError NOT_FOUND */
export function findFunction(files: HostFiles, bdf: string): PciFunction {
  const found = pciFunction(files, bdf);
  if (found) return found;
  throw new AgentError(
    "NOT_FOUND",
    `There is no PCI device ${bdf} on this host. \`lspci -D\` lists those that there are.`,
  );
}

function refuseWithoutGroup({ bdf, iommuGroup }: PciFunction): void {
  if (iommuGroup === null)
    throw new AgentError(
      "UNSUPPORTED",
      `${bdf} is in no IOMMU group, so VFIO would not hand it out. \`lendbuf doctor\` says what to do about the IOMMU.`,
    );
}

function refuseVital({ function_: { bdf }, losses: { vital } }: Taking): void {
  if (vital !== null)
    throw new AgentError("NOT_ALLOWED", `This host needs ${bdf}: ${vital}. Nothing was changed. Lend another device.`);
}

function refuseHalfAGroup(files: HostFiles, functions: readonly PciFunction[]): void {
  const named = new Set(functions.map(({ bdf }) => bdf));
  for (const function_ of functions) {
    const missing = membersInTheWay(files, function_).filter(({ bdf }) => !named.has(bdf));
    if (missing.length === 0) continue;
    const list = missing.map(({ bdf, driver }) => `${bdf} (driver ${driver})`).join(", ");
    const all = [...named, ...missing.map(({ bdf }) => bdf)].join(" ");
    throw new AgentError(
      "IN_USE",
      `${function_.bdf} shares IOMMU group ${function_.iommuGroup} with ${list}, and VFIO takes a group only as a whole. To bind them all: lendbuf device bind ${all}`,
    );
  }
}

/** A module that was loaded stays: it harms nobody. */
function loadStep(host: HostControl): Step {
  return {
    what: `load ${VFIO}`,
    async run() {
      if (!host.exists(`${PCI}/drivers/${VFIO}`)) await host.loadModule(VFIO);
    },
    async undo() {},
  };
}

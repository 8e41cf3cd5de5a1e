import { AgentError } from "@lendbuf/shared/errors";
import type { HostControl } from "../host-control.ts";
import type { HostFiles } from "../host-files.ts";
import type { PciFunction } from "../pci-function.ts";
import { findFunction } from "./bind.ts";
import { type Opener, openersOf } from "./openers.ts";
import { rebindSteps, ruleStep, VFIO } from "./rebind.ts";
import { runSteps } from "./steps.ts";
import { rulePath } from "./udev-rule.ts";

/** What an unbind is about to take from whom. */
export interface Giving {
  function_: PciFunction;
  openers: Opener[];
  /** It would come back to vfio-pci at the next start. */
  hasRule: boolean;
}

/** @throws AgentError where there is nothing to do */
export function planUnbind(files: HostFiles, bdfs: readonly string[]): Giving[] {
  return bdfs.map((bdf) => {
    const function_ = findFunction(files, bdf);
    const hasRule = files.exists(rulePath(bdf));
    if (function_.driver !== VFIO && !hasRule)
      throw new AgentError(
        "NOT_ALLOWED",
        `${bdf} is bound to ${function_.driver ?? "no driver"}, not to ${VFIO}: there is nothing to give back.`,
      );
    return { function_, openers: function_.driver === VFIO ? openersOf(files, function_) : [], hasRule };
  });
}

/** Gives them back to the kernel's choice of driver, now and after restarts, or leaves all as it was. */
export async function unbind(
  host: HostControl,
  givings: readonly Giving[],
  { onSlow }: { onSlow: (what: string) => void },
): Promise<void> {
  await runSteps(
    [
      ...givings
        .filter(({ function_ }) => function_.driver === VFIO)
        .flatMap(({ function_ }) => rebindSteps(host, function_, null)),
      ...givings.filter(({ hasRule }) => hasRule).map(({ function_ }) => ruleStep(host, function_, null)),
    ],
    onSlow,
  );
}

import type { HostControl } from "../host-control.ts";
import { PCI, type PciFunction } from "../pci-function.ts";
import type { Step } from "./steps.ts";
import { rulePath } from "./udev-rule.ts";

export const VFIO = "vfio-pci";
const NO_OVERRIDE = "\n";

/**
 * Takes a function from the driver that has it and lets the kernel choose anew, with `override` as the only choice, or none.
 * Undone in reverse: a driver takes a function back only after the override fits it again.
 */
export function rebindSteps(host: HostControl, { bdf, driver }: PciFunction, override: typeof VFIO | null): Step[] {
  const folder = `${PCI}/devices/${bdf}`;
  const driverNow = () => host.linkName(`${folder}/driver`);
  const release = async () => {
    if (driverNow()) await host.write(`${folder}/driver/unbind`, bdf);
  };
  const before = host.read(`${folder}/driver_override`);
  return [
    {
      what: driver ? `unbind ${bdf} from ${driver}` : `leave ${bdf} without a driver`,
      run: release,
      async undo() {
        if (driver && driverNow() !== driver) await host.write(`${PCI}/drivers/${driver}/bind`, bdf);
      },
    },
    {
      what: override ? `reserve ${bdf} for ${override}` : `free ${bdf} for any driver`,
      run: () => host.write(`${folder}/driver_override`, override ?? NO_OVERRIDE),
      undo: () => host.write(`${folder}/driver_override`, !before || before === "(null)" ? NO_OVERRIDE : before),
    },
    {
      what: override ? `bind ${bdf} to ${override}` : `give ${bdf} back to its own driver`,
      async run() {
        await host.write(`${PCI}/drivers_probe`, bdf);
        const now = driverNow();
        if (override ? now !== override : now === VFIO) throw new Error(`the kernel chose ${now ?? "no driver"}`);
      },
      undo: release,
    },
  ];
}

/** Where `text` is null the rule goes. */
export function ruleStep(host: HostControl, { bdf }: PciFunction, text: string | null): Step {
  const path = rulePath(bdf);
  const before = host.readBytes(path)?.toString();
  const set = async (to: string | null | undefined) => {
    if (to != null) await host.replace(path, to);
    else if (host.exists(path)) await host.remove(path);
  };
  return { what: `${text === null ? "remove" : "write"} ${path}`, run: () => set(text), undo: () => set(before) };
}

import type { DeviceChoice } from "@lendbuf/config/config";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import { Device, type DeviceHandlers, type DeviceOptions } from "./device.ts";
import type { DeviceKind } from "./kind.ts";
import { systemMemory } from "./memory.ts";
import { vfioAddresses } from "./pci.ts";
import { SIMULATED_DEVICE } from "./simulated.ts";
import { vfioDevice } from "./vfio.ts";

const LOOK_AGAIN_MS = 2000;

/** The devices of this host that are ours to lend; those that vfio-pci gets later are taken up then. */
export class Devices {
  readonly byName = new Map<string, Device>();
  readonly #choice: DeviceChoice;
  readonly #clock: Deadlines;
  readonly #make: (kind: DeviceKind) => Device;
  #next: Deadline | undefined;
  #closed = false;

  /** `handlersOf`: what is to be done with what one of them says. */
  constructor(choice: DeviceChoice, options: DeviceOptions, handlersOf: (device: () => Device) => DeviceHandlers) {
    this.#choice = choice;
    this.#clock = options.clock;
    this.#make = (kind) => {
      const device: Device = new Device(
        kind,
        options,
        handlersOf(() => device),
      );
      return device;
    };
    if (choice.simulated) this.#add(SIMULATED_DEVICE);
    if (choice.systemMemory !== null) this.#add(systemMemory(choice.systemMemory));
    for (const bdf of this.#wanted()) this.#add(this.#kindOf(bdf));
  }

  /** Resolves when each is ready or has failed for the first time. */
  async start(): Promise<void> {
    await Promise.all([...this.byName.values()].map((device) => device.start()));
    if (this.#choice.pci === "auto") this.#lookAgain();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#next?.cancel();
    await Promise.all([...this.byName.values()].map((device) => device.close()));
  }

  #wanted(): readonly string[] {
    return this.#choice.pci === "auto" ? vfioAddresses() : this.#choice.pci;
  }

  #kindOf(bdf: string): DeviceKind {
    const { revokeFeature, rungs, busMasters } = this.#choice;
    return vfioDevice(bdf, { revokeFeature, rungs, busMaster: busMasters.includes(bdf) });
  }

  #add(kind: DeviceKind): Device {
    const device = this.#make(kind);
    this.byName.set(device.name, device);
    return device;
  }

  #lookAgain(): void {
    this.#next = this.#clock.after(LOOK_AGAIN_MS, () => {
      if (this.#closed) return;
      for (const bdf of vfioAddresses()) if (!this.byName.has(bdf)) void this.#add(this.#kindOf(bdf)).start();
      this.#lookAgain();
    });
  }
}

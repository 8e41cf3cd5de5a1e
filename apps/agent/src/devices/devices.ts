import { isDeepStrictEqual } from "node:util";
import type { DeviceChoice } from "@lendbuf/config/config";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import { hear } from "../wardens/last-word.ts";
import { dismiss, forgetWord, type KnownWarden, knownWardens } from "../wardens/succession.ts";
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
  readonly #options: DeviceOptions;
  readonly #clock: Deadlines;
  readonly #make: (kind: DeviceKind) => Device;
  #next: Deadline | undefined;
  #closed = false;

  /** `handlersOf`: what is to be done with what one of them says. */
  constructor(choice: DeviceChoice, options: DeviceOptions, handlersOf: (device: () => Device) => DeviceHandlers) {
    this.#choice = choice;
    this.#options = options;
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

  /**
   * Resolves when each is ready or has failed for the first time. Wardens that an earlier agent left are taken over, if that is wanted
   * (`mayAdopt`: nobody else can do it meanwhile); the others are dismissed.
   */
  async start(mayAdopt: boolean): Promise<void> {
    const known = mayAdopt ? this.#knownWardens() : new Map<string, KnownWarden>();
    await Promise.all([...this.byName.values()].map((device) => device.start(known.get(device.name))));
    if (this.#choice.pci === "auto") this.#lookAgain();
  }

  /** `leave`: with what is lent of them, to the next agent. */
  async close(leave: boolean): Promise<void> {
    this.#closed = true;
    this.#next?.cancel();
    await Promise.all([...this.byName.values()].map((device) => device.close(leave)));
  }

  /** Those to be taken over, by device. */
  #knownWardens(): Map<string, KnownWarden> {
    const { stateDirectory, bootId, adoptMs } = this.#options;
    const wanted = new Map<string, KnownWarden>();
    for (const known of knownWardens(stateDirectory, bootId)) {
      const { device, instance } = known;
      if (hear(stateDirectory, instance).kind !== "working") forgetWord(stateDirectory, instance);
      else if (adoptMs > 0 && this.#isAsWanted(known) && !wanted.has(device)) wanted.set(device, known);
      else void dismiss(stateDirectory, known);
    }
    return wanted;
  }

  /** One that was started by other settings (bus mastering, ways to revoke) is not what was asked for now. */
  #isAsWanted({ device, args }: KnownWarden): boolean {
    return isDeepStrictEqual(this.byName.get(device)?.kind.wardenArgs, args);
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

import type { BufferDefinition } from "@lendbuf/shared/buffer";
import type { Proof } from "@lendbuf/shared/delegation";
import type { Device as DeviceView, PciAddress, Region } from "@lendbuf/shared/device";

export interface Description {
  description: string;
  pci: PciAddress | null;
}

/** What differs between a simulated device and a real one. */
export interface DeviceKind {
  readonly name: string;
  readonly kind: DeviceView["kind"];
  /** What the warden is told on its command line. */
  readonly wardenArgs: readonly string[];
  /** Whether its own buffers make way for those that people define over them. */
  readonly buffersYield: boolean;
  /** Whether a warden that could open it proves that no earlier one's exports reach it any more. */
  readonly opensOnce: boolean;
  /** What and where it is; reads the host. */
  describe(): Description;
  /** The buffers that it comes with, once its regions are known. */
  buffers(regions: readonly Region[]): BufferDefinition[];
  /** Cuts an export that is no memfd and whose warden has died; `whoHasIt` resolves when the next warden has opened the device, or with the name of the driver that has it now. */
  cut(fd: number, whoHasIt: () => Promise<string | null>): Promise<Proof>;
}

import type { BufferDefinition, Range } from "@lendbuf/shared/buffer";
import type { Proof } from "@lendbuf/shared/delegation";
import type { PciAddress, Region } from "@lendbuf/shared/device";
import type { DeviceKind } from "./kind.ts";
import { describeFunction } from "./pci.ts";

/** The opening of a device by its next warden, as proof that nobody has it from before: the kernel lets one open it at a time. */
export const OPENED_ANEW: Proof = {
  method: "device-close",
  scope: "device",
  by: "agent",
  answer: "0",
  probe: "the device could be opened anew",
  durationUs: null,
};

export interface VfioOptions {
  /** The number of VFIO_DEVICE_FEATURE_DMA_BUF_REVOKE in this kernel, where it has one. */
  revokeFeature: number | null;
  rungs: readonly string[];
  busMaster: boolean;
}

/** A PCI function that vfio-pci has. */
export function vfioDevice(bdf: string, { revokeFeature, rungs, busMaster }: VfioOptions): DeviceKind {
  return {
    name: bdf,
    kind: "vfio",
    wardenArgs: [
      "--bus-master",
      busMaster ? "on" : "off",
      ...(revokeFeature === null ? [] : ["--revoke-feature", String(revokeFeature)]),
      ...(rungs.length > 0 ? ["--rungs", rungs.join(",")] : []),
    ],
    buffersYield: true,
    opensOnce: true,
    describe() {
      const pci = describeFunction(bdf) ?? null;
      return { description: wordsFor(pci), pci };
    },
    buffers: (regions) =>
      regions
        .filter(({ index, unlendable }) => index < 6 && unlendable === null)
        .map((region) => wholeBar(bdf, region)),
    // The kernel closed the device with its warden, and with it everything that was exported of the device itself. Another driver gets
    // it only when vfio-pci has let go, which waits for the last who has it open (vfio_unregister_group_dev).
    async cut(_fd, whoHasIt) {
      const driver = await whoHasIt();
      return driver === null ? OPENED_ANEW : { ...OPENED_ANEW, probe: `the driver ${driver} has the device now` };
    },
  };
}

function wordsFor(pci: PciAddress | null): string {
  if (!pci) return "not in this machine any more";
  const { vendor, product, vendorId, deviceId } = pci;
  return `${vendor ?? `vendor ${vendorId}`} ${product ?? `device ${deviceId}`}`;
}

function wholeBar(device: string, { index, size, withheld }: Region): BufferDefinition {
  return {
    name: `${device}/bar${index}`,
    device,
    region: index,
    ranges: withheld ? around(withheld, size) : [{ offset: 0, length: size }],
    share: "exclusive",
    scrub: "none",
    tags: [],
    description: withheld ? `All of BAR ${index} but the MSI-X table` : `All of BAR ${index}`,
  };
}

function around({ offset, length }: Range, size: number): Range[] {
  const after = offset + length;
  return [
    { offset: 0, length: offset },
    { offset: after, length: size - after },
  ].filter((range) => range.length > 0);
}

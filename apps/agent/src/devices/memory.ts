import { cutByLastReference } from "../wardens/last-reference.ts";
import type { DeviceKind } from "./kind.ts";

const NAME = "ram0";

/** The machine's own memory, of which each borrower gets fresh pages: `size` bytes for all of them together. */
export function systemMemory(size: number): DeviceKind {
  return {
    name: NAME,
    kind: "memory",
    wardenArgs: ["--system-memory", String(size)],
    buffersYield: true,
    opensOnce: false,
    describe: () => ({
      description: "Fresh memory of this machine, as dma-bufs; nothing takes them back by force",
      tags: [],
      pci: null,
    }),
    buffers: (regions) =>
      regions.map((region) => ({
        name: `${NAME}/all`,
        device: NAME,
        region: region.index,
        ranges: [{ offset: 0, length: region.size }],
        share: "exclusive",
        scrub: "zero",
        description: "All of the memory that may be lent; lendbuf define makes smaller buffers",
        tags: [],
      })),
    cut: cutByLastReference,
  };
}

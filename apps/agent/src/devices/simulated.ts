import type { BufferDefinition } from "@lendbuf/shared/buffer";
import type { DeviceKind } from "./kind.ts";

const NAME = "sim0";
const KIB = 1024;
const MIB = 1024 * KIB;
const SIGNALS = ["sine", "square", "chirp", "noise"];

/** A digitizer for any Linux: docs/simulated-device.md describes it. */
export const SIMULATED_DEVICE: DeviceKind = {
  name: NAME,
  kind: "simulated",
  wardenArgs: ["--simulated"],
  buffersYield: false,
  opensOnce: false,
  describe: () => ({
    description: "Simulated 4-channel digitizer: works on any Linux, without hardware",
    tags: [],
    pci: null,
  }),
  buffers: () => [...BUFFERS],
  cut: () => Promise.reject(new Error("all that is lent of a simulated device are memfds")),
};

const BUFFERS: readonly BufferDefinition[] = [
  buffer("regs", 0, 0, 4 * KIB, "Registers: id, version, sample rate, channel enable and gain"),
  ...SIGNALS.map((signal, channel) =>
    buffer(
      `ch${channel}`,
      2,
      channel * MIB,
      MIB,
      `Capture ring of channel ${channel}: ${signal}, 16-bit samples, live`,
    ),
  ),
  buffer("ddr", 2, 8 * MIB, 8 * MIB, "Plain memory of the card: keeps its contents for the next borrower"),
];

function buffer(name: string, region: number, offset: number, length: number, description: string): BufferDefinition {
  return {
    name: `${NAME}/${name}`,
    device: NAME,
    region,
    ranges: [{ offset, length }],
    share: "exclusive",
    scrub: "none",
    description,
    tags: [],
  };
}

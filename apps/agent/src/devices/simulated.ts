import type { BufferDefinition } from "@lendbuf/shared/buffer";

const KIB = 1024;
const MIB = 1024 * KIB;
const SIGNALS = ["sine", "square", "chirp", "noise"];

export const SIMULATED_DEVICE = {
  name: "sim0",
  description: "Simulated 4-channel digitizer: works on any Linux, without hardware",
};

/** What the simulated digitizer comes with; docs/simulated-device.md describes its registers. */
export const SIMULATED_BUFFERS: readonly BufferDefinition[] = [
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
  const device = SIMULATED_DEVICE.name;
  return {
    name: `${device}/${name}`,
    device,
    region,
    ranges: [{ offset, length }],
    share: "exclusive",
    scrub: "none",
    description,
  };
}

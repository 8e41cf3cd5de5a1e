// The exporters of system memory, for the lab machine: real dma-bufs that no kernel takes back.
import { wardenPath } from "../../src/build.ts";
import type { Case } from "../exporter-contract.ts";
import { irrevocableContractOf } from "../irrevocable-contract.ts";
import { Warden } from "../warden-process.ts";

const build = { name: "plain", command: [wardenPath()] };
const device = ["--device", "ram0", "--system-memory", `${16 << 20}`];
const KINDS = [
  { exporter: "udmabuf", lendsReadOnly: false },
  { exporter: "dma-heap", lendsReadOnly: true },
] as const;

/** Under each kernel, for a user who may open both nodes. */
export function systemMemoryCases(): Case[] {
  return KINDS.flatMap(({ exporter, lendsReadOnly }) => {
    const start = () => new Warden(build, { device, exporter, region: 0 });
    const cases = irrevocableContractOf({ start, method: "last-reference", lendsReadOnly });
    return cases.map(({ name, run }) => ({ name: `${exporter}: ${name}`, run }));
  });
}

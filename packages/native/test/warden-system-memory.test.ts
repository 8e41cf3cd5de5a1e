import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { irrevocableContractOf } from "./irrevocable-contract.ts";
import { builds, plain } from "./warden-builds.ts";
import { Warden } from "./warden-process.ts";

const device = ["--device", "ram0", "--system-memory", `${16 << 20}`];
const KINDS = [
  { exporter: "udmabuf", node: "/dev/udmabuf", lendsReadOnly: false, remedy: /modprobe udmabuf.*CONFIG_UDMABUF/ },
  { exporter: "dma-heap", node: "/dev/dma_heap/system", lendsReadOnly: true, remedy: /CONFIG_DMABUF_HEAPS_SYSTEM/ },
] as const;

describe.each(KINDS)("the $exporter exporter", ({ exporter, node, lendsReadOnly, remedy }) => {
  it("says what brings its node where there is none", async ({ skip }) => {
    if (existsSync(node)) skip(`${node} is here`);
    await using warden = new Warden(plain, { device, exporter, region: 0 });

    const { works, words, rungs } = await warden.capability();
    const refused = await warden.export();

    expect([works, rungs]).toEqual([false, []]);
    expect(words).toContain(`there is no ${node} (ENOENT)`);
    expect(words).toMatch(remedy);
    expect(refused).toMatchObject({ fd: -1, words });
  });

  if (!existsSync(node))
    it("keeps the contract of those that take nothing back", ({ skip }) =>
      skip(`there is no ${node}; the lab machine has it, and runs this there (npm test)`));
  else
    describe.each(builds)("keeps the contract of those that take nothing back ($name)", (build) => {
      const start = () => new Warden(build, { device, exporter, region: 0 });
      for (const { name, run } of irrevocableContractOf({ start, method: "last-reference", lendsReadOnly }))
        it(name, run);
    });
});

describe("the device of system memory", () => {
  it.each([
    ["nothing", "0"],
    ["half a page", "6144"],
    ["more than the machine has", `${2 ** 60}`],
    ["no number", "some"],
  ])("is refused with %s, in words", async (_, size) => {
    await using warden = new Warden(plain, { device: ["--device", "ram0", "--system-memory", size] });

    const { status, errors } = await warden.ended;

    expect(status).toBe(1);
    expect(errors).toMatch(/--system-memory (is|takes) /);
  });
});

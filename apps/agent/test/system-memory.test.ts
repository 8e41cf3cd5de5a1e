import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { startAgent } from "./harness.ts";

const NODES = ["/dev/udmabuf", "/dev/dma_heap/system"];

describe("system memory", () => {
  it("is no device unless it is asked for", async () => {
    await using agent = await startAgent();
    const client = await agent.connect();

    const devices = await client.call("devices.list", {});

    expect(devices.map(({ name }) => name)).not.toContain("ram0");
  });

  it("is a device that says what is missing, where the host has neither of what makes it a dma-buf", async ({
    skip,
  }) => {
    const found = NODES.filter((node) => existsSync(node));
    if (found.length > 0) skip(`${found.join(", ")} can make it; lab/cases/irrevocable.ts tries that`);
    await using agent = await startAgent({ env: { LENDBUF_SYSTEM_MEMORY: "1MiB", LENDBUF_ALLOW_IRREVOCABLE: "ram0" } });
    const client = await agent.connect();

    const ram = (await client.call("devices.list", {})).find(({ name }) => name === "ram0");

    expect(ram).toMatchObject({
      kind: "memory",
      state: "lost",
      pci: null,
      problem: ram?.exporters[0]?.detail,
    });
    expect(ram?.regions).toEqual([{ index: 0, size: 1 << 20, unlendable: null, withheld: null }]);
    expect(ram?.exporters.map(({ exporter, works }) => [exporter, works])).toEqual([
      ["udmabuf", false],
      ["dma-heap", false],
    ]);
    for (const [i, node] of NODES.entries()) expect(ram?.exporters[i]?.detail).toContain(`there is no ${node}`);
    await expect(client.borrow({ buffer: "sim0/ddr", exporter: "udmabuf" })).rejects.toMatchObject({
      code: "UNSUPPORTED",
    });
  });
});

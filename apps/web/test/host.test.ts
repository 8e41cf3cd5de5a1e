import AxeBuilder from "@axe-core/playwright";
import type { DmaBufs } from "@lendbuf/shared/api";
import type { DmaBuf, Holder } from "@lendbuf/shared/holder";
import type { Page } from "@playwright/test";
import { describe, expect, it } from "vitest";
import type { AgentProcess } from "../../agent/test/harness.ts";
import { prepareVisits } from "./prepare-visits.ts";
import { Terminal } from "./terminal.ts";
import { browserNeeded, hasBrowser, see, type Visitors } from "./visitor.ts";

const RING = 1_048_576;

const capture: Holder = {
  ...{ pid: 4242, uid: 1000, command: "capture", role: null },
  ...{ fds: [3, 4, 5, 6, 7, 8, 9, 10], fdCount: 12, mappingCount: 2 },
};
const HERE: DmaBuf[] = [
  {
    ...{ inode: 37, exporter: "vfio_pci_core", name: "0000:01:00.0/ch0", size: RING, count: 16, unseen: 1 },
    holders: [
      capture,
      { ...capture, pid: 99, uid: 0, command: "lendbuf-warden", role: "warden", fds: [7], fdCount: 1 },
    ],
    ...{ total: 2, attachments: ["0000:00:03.0"], delegation: 12 },
  },
  {
    ...{ inode: 41, exporter: "udmabuf", name: "two\nlines\u202egnp", size: 4096, count: 1, unseen: 0 },
    holders: [{ ...capture, command: "\u001b[2Jx", fds: [3], fdCount: 1, mappingCount: 0 }],
    ...{ total: 1, attachments: [], delegation: null },
  },
  {
    ...{ inode: 50, exporter: null, name: null, size: null, count: null, unseen: null },
    holders: [{ ...capture, fds: [], fdCount: 0, mappingCount: 1 }],
    ...{ total: 31, attachments: null, delegation: null },
  },
];

/** This host may have no dma-bufs: the agent's answers are given some. */
function withDmaBufs(message: string): string {
  if (!message.includes('"notes":')) return message;
  const answer = JSON.parse(message) as { result?: { data?: DmaBufs } };
  if (!answer.result?.data?.items) return message;
  answer.result.data = { ...answer.result.data, items: HERE, total: HERE.length };
  return JSON.stringify(answer);
}

const rowOf = (page: Page, words: string | RegExp) => page.getByRole("row").filter({ hasText: words });

describe.skipIf(!hasBrowser)(`who holds what, in a browser${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  prepareVisits((prepared) => ({ agent, visitors } = prepared));

  it("a delegation's holders are looked for when somebody asks, and again", async () => {
    await using program = await new Terminal(agent, ["exec", "sim0/ch0"], RING).ready();
    const page = await visitors.visit(agent, { path: "/buffers?id=sim0/ch0" });
    const holders = page.getByRole("list", { name: /^Holders of delegation \d+$/ });
    await see(page.getByRole("button", { name: "Who holds it?" })).toBeVisible();
    await see(holders).toHaveCount(0);

    await page.getByRole("button", { name: "Who holds it?" }).click();

    await see(holders.getByText(/^holder, pid \d+, uid \d+: fd 3; 1 mapping$/)).toBeVisible();
    await see(holders.getByText(/the agent itself/)).toBeVisible();
    await see(page.getByText(/^\d+ of \d+ processes looked at/)).toBeVisible();
    await see(page.getByText(/never a proof/)).toBeVisible();
    await page.getByRole("button", { name: "Look again" }).click();
    await see(page.getByRole("button", { name: "Look again" })).toBeEnabled();
    expect(await program.read(0, 1)).toMatch(/^[0-9a-f]{2}$/);
  });

  it("the Host page is a click away, and says what could be looked at", async () => {
    const page = await visitors.visit(agent);

    await page.getByRole("link", { name: "Host", exact: true }).click();

    await see(page.getByRole("heading", { name: /^DMA-BUFs/ })).toBeVisible();
    await see(page.getByText(/^\d+ of \d+ processes looked at/)).toBeVisible();
    await see(page.getByRole("link", { name: "Host", exact: true })).toHaveAttribute("aria-current", "page");
  });

  it("it lists what there is; names that others chose are harmless", async () => {
    const page = await visitors.visit(agent, { path: "/host", rewrite: withDmaBufs });

    const ours = rowOf(page, "0000:01:00.0/ch0");
    await see(ours).toContainText("inode 37, delegation 12");
    await see(ours).toContainText("capture, pid 4242, uid 1000: fd 3, 4, 5, 6, 7, 8, 9, 10 and 4 more; 2 mappings");
    await see(ours).toContainText("(the device's warden)");
    await see(ours).toContainText("1 reference of nobody that can be seen");
    await see(ours).toContainText("0000:00:03.0");
    await see(rowOf(page, "udmabuf")).toContainText("two�lines�gnp");
    await see(rowOf(page, "udmabuf")).toContainText("�[2Jx");
    await see(rowOf(page, "inode 50")).toContainText("not known");
    await see(rowOf(page, "inode 50")).toContainText("and 30 more");
  });

  it("it asks the agent for what is searched, and keeps it in the address", async () => {
    const page = await visitors.visit(agent, { path: "/host" });

    await page.getByRole("searchbox").fill("no such buffer");

    await see(page.getByText('No dma-buf matches "no such buffer".')).toBeVisible();
    await see(page).toHaveURL(/\/host\?q=no\+such\+buffer$/);
  });

  it.each(["light", "dark"] as const)(
    "it is good to everybody in %s: axe finds nothing serious",
    async (colorScheme) => {
      const page = await visitors.visit(agent, { colorScheme, path: "/host", rewrite: withDmaBufs });
      await see(rowOf(page, "udmabuf")).toBeVisible();

      const { violations } = await new AxeBuilder({ page }).analyze();

      const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
      expect(serious.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" | ")}`)).toEqual([]);
    },
  );

  it("it fits into 390 pixels", async () => {
    const page = await visitors.visit(agent, {
      viewport: { width: 390, height: 844 },
      path: "/host",
      rewrite: withDmaBufs,
    });
    await see(page.getByText("0000:01:00.0/ch0")).toBeVisible();

    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });
});

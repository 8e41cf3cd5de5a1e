import AxeBuilder from "@axe-core/playwright";
import type { Page } from "@playwright/test";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "../../agent/test/harness.ts";
import { Terminal } from "./terminal.ts";
import { browserNeeded, hasBrowser, rowOf, see, Visitors } from "./visitor.ts";

const RING = 1_048_576;
const MAX_SCRIPT_BYTES = 200 * 1024;

describe.skipIf(!hasBrowser)(`the dashboard's manners${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  let program: Terminal;

  beforeAll(async () => {
    [agent, visitors] = await Promise.all([startAgent(), Visitors.arrive()]);
    program = await new Terminal(
      agent,
      ["exec", "sim0/ch0", "--purpose", "a long test of everything that is there"],
      RING,
    ).ready();
    const connection = await agent.connect();
    await connection.call("delegations.request", { buffer: "sim0/ddr", account: "uid:4242" });
    await connection.call("delegations.request", { buffer: "sim0/ch0", wait: true });
    const { id } = await connection.call("delegations.request", { buffer: "sim0/ch1" });
    await connection.call("delegations.revoke", { ids: [id] });
    connection.close();
  });
  afterEach(async () => {
    expect(await visitors.leave()).toEqual([]);
  });
  afterAll(async () => {
    await program?.[Symbol.asyncDispose]();
    await visitors?.[Symbol.asyncDispose]();
    await agent?.stop();
  });

  it.each(["light", "dark"] as const)(
    "are good to everybody in %s: axe finds nothing serious",
    { timeout: 120_000 },
    async (colorScheme) => {
      const page = await visitors.visit(agent, { colorScheme });
      await see(rowOf(page, "sim0/ch0")).toContainText("Lent");
      const found = { now: await seriousIn(page) } as Record<string, string[]>;
      for (const [name, open] of Object.entries(DIALOGS)) {
        await open(page);
        await see(page.getByRole("dialog")).toBeVisible();
        found[name] = await seriousIn(page, "[role=dialog]");
        await page.keyboard.press("Escape");
        await see(page.getByRole("dialog")).toHaveCount(0);
      }
      await page.getByRole("link", { name: "sim0/ch0", exact: true }).last().click();
      await see(page.getByRole("group", { name: "Bytes" })).toBeVisible();
      found.buffer = await seriousIn(page);

      expect(Object.entries(found).filter(([, problems]) => problems.length > 0)).toEqual([]);
    },
  );

  it.each(["/", "/buffers?id=sim0/ch0", "/buffers?id=sim0/ch0&view=wave"])("fit %s into 390 pixels", async (path) => {
    const page = await visitors.visit(agent, { viewport: { width: 390, height: 844 }, path });
    await see(
      page
        .getByText(path === "/" ? "2 in line" : "Before")
        .or(page.getByText("1 in line"))
        .first(),
    ).toBeVisible();
    if (path.endsWith("wave")) await see(page.locator("canvas")).toBeVisible();

    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(390);
  });

  it("keep a theme that was chosen, without a flash of the other", async () => {
    const page = await visitors.visit(agent, { colorScheme: "light" });
    const toggle = page.getByRole("button", { name: /^Colours/ });
    await toggle.click();
    await toggle.click();
    await page.reload({ waitUntil: "commit" });
    await page.waitForFunction(() => document.body !== null);

    expect(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme)).toBe("dark");
  });

  it("load at most 200 KiB of scripts, compressed, under a policy without 'unsafe-inline' scripts", async () => {
    const page = await visitors.visit(agent);
    await see(rowOf(page, "sim0/ch0")).toBeVisible();
    const session = await page.context().newCDPSession(page);
    await session.send("Network.setCacheDisabled", { cacheDisabled: true });
    let bytes = 0;
    page.on("response", (answer) => {
      const headers = answer.headers();
      if (headers["content-type"]?.startsWith("text/javascript")) bytes += Number(headers["content-length"]);
    });

    const response = await page.reload();
    await see(rowOf(page, "sim0/ch0")).toBeVisible();

    const policy = response!.headers()["content-security-policy"]!;
    expect(policy).toMatch(/script-src 'self' 'sha256-/);
    expect(policy.match(/script-src[^;]*/)![0]).not.toContain("unsafe");
    expect(bytes).toBeGreaterThan(50 * 1024);
    expect(bytes).toBeLessThan(MAX_SCRIPT_BYTES);
  });

  it("show a thousand buffers, of which few are in the page, and filter them at once", async () => {
    const connection = await agent.connect();
    const defined = Array.from({ length: 1000 }, (_, index) =>
      connection.call("buffers.define", {
        name: `sim0/slice-${String(index).padStart(4, "0")}`,
        device: "sim0",
        region: 2,
        ranges: [{ offset: 4 * RING + index * 4096, length: 4096 }],
      }),
    );
    await Promise.all(defined);
    connection.close();
    const page = await visitors.visit(agent);
    await see(page.getByRole("button", { name: /^All/ })).toHaveText("All 1006");

    const search = page.getByRole("searchbox");
    await search.fill("slice-0777");
    await see(rowOf(page, "sim0/slice-0777")).toBeVisible();
    const ms = await page.evaluate(filterTime);

    expect(await page.locator("[data-row]").count()).toBeLessThan(60);
    expect(ms).toBeLessThan(1000);
  });
});

const DIALOGS: Record<string, (page: Page) => Promise<void>> = {
  delegate: (page) => page.getByRole("button", { name: "Delegate sim0/ch2" }).click(),
  extend: (page) => page.getByRole("button", { name: /^Extend delegation \d+ of sim0\/ch0/ }).click(),
  session: (page) => page.getByRole("button", { name: "Session" }).click(),
  help: (page) => page.keyboard.press("?"),
};

async function seriousIn(page: Page, where = "body"): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).include(where).analyze();
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 160)).join(" | ")}`);
}

/** How long after a keystroke the rows have changed, in the page. */
function filterTime(): Promise<number> {
  const input = document.querySelector<HTMLInputElement>('input[type="search"]')!;
  const setValue = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value")!.set!;
  return new Promise((resolve) => {
    const start = performance.now();
    const look = () => {
      if (document.querySelectorAll("[data-row]").length > 5) resolve(performance.now() - start);
      else requestAnimationFrame(look);
    };
    setValue.call(input, "slice");
    input.dispatchEvent(new Event("input", { bubbles: true }));
    requestAnimationFrame(look);
  });
}

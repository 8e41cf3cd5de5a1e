import { describe, it } from "vitest";
import { AgentProcess, startAgent, temporaryFolder } from "../../agent/test/harness.ts";
import { prepareVisits } from "./prepare-visits.ts";
import { Terminal } from "./terminal.ts";
import { alertOf, browserNeeded, hasBrowser, loginLink, rowOf, see, type Visitors } from "./visitor.ts";

const RING = 1_048_576;
/** A browser says so of its own when nobody listens. */
const NOBODY_LISTENS = /console error: (WebSocket connection to|Failed to load resource: net::ERR_CONNECTION_REFUSED)/;
const REFUSED = /console error: Failed to load resource: the server responded with a status of 401/;

describe.skipIf(!hasBrowser)(`a browser's session${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  prepareVisits((prepared) => ({ agent, visitors } = prepared));

  it("outlives a reload, and is lent to a new tab of the same browser", async () => {
    const page = await visitors.visit(agent);
    await see(rowOf(page, "sim0/ch0")).toBeVisible();
    await page.reload();
    await see(rowOf(page, "sim0/ch0")).toBeVisible();

    const tab = await page.context().newPage();
    await tab.goto(`${agent.url}/buffers?id=sim0/ddr`);

    await see(tab.getByRole("heading", { name: "sim0/ddr" })).toBeVisible();
  });

  it("does not come from a link that was used, and comes from a fresh one that is pasted", async () => {
    const link = await loginLink(agent);
    const first = await visitors.visit(agent);
    await see(rowOf(first, "sim0/ch0")).toBeVisible();
    const used = first.waitForResponse(`${agent.url}/login`);
    await first.goto(link);
    await used;
    const page = await visitors.visit(agent, {}, [REFUSED]);
    await see(rowOf(page, "sim0/ch0")).toBeVisible(); // its login is over, and stores no key behind what is cleared now
    await page.evaluate(() => sessionStorage.clear());
    await page.context().clearCookies();
    await page.goto("about:blank");
    await page.goto(link);
    await see(alertOf(page)).toContainText("This login link was used already");

    await page.getByLabel(/paste it here/).fill(await loginLink(agent));
    await page.getByRole("button", { name: "Use the link" }).click();

    await see(rowOf(page, "sim0/ch0")).toBeVisible();
  });

  it("ends in all tabs when one signs out, and the agent forgets it", async () => {
    const page = await visitors.visit(agent, {}, [REFUSED, NOBODY_LISTENS]);
    await see(rowOf(page, "sim0/ch0")).toBeVisible();
    const tab = await page.context().newPage();
    await tab.goto(agent.url);
    await see(rowOf(tab, "sim0/ch0")).toBeVisible();

    await page.getByRole("button", { name: "Session" }).click();
    await page.getByRole("button", { name: "Sign out" }).click();

    await see(page.getByRole("heading", { name: "Signed out" })).toBeVisible();
    await see(alertOf(page)).toHaveCount(0);
    await see(tab.getByRole("heading", { name: "Signed out" })).toBeVisible();
  });

  it("goes on by itself when the agent is killed and started anew under an open page", async () => {
    const folder = temporaryFolder();
    const where = { state: `${folder}/state`, socket: `${folder}/agent.sock` };
    const first = await startAgent(where);
    const port = new URL(first.url).port;
    const page = await visitors.visit(first, {}, [NOBODY_LISTENS]);
    await using _program = await new Terminal(first, ["exec", "sim0/ch0"], RING).ready();
    await see(rowOf(page, "sim0/ch0")).toContainText("Lent");

    await first.crash();
    await see(alertOf(page)).toContainText("Out of touch with the agent");
    await see(rowOf(page, "sim0/ch0")).toContainText("Lent");
    await see(rowOf(page, "sim0/ch0").getByRole("button", { name: /^Revoke/ })).toBeDisabled();
    await using second = new AgentProcess({ ...where, args: ["--port", port] });
    await second.ready();

    await see(alertOf(page)).toHaveCount(0);
    await see(rowOf(page, "sim0/ch0")).toContainText("Free");
    await see(rowOf(page, "sim0/ch0")).toContainText("the agent was started anew");
    await see(rowOf(page, "sim0/ch0").getByRole("button", { name: "Delegate sim0/ch0" })).toBeEnabled();
  });
});

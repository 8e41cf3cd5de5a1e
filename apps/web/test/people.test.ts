import { rmSync } from "node:fs";
import AxeBuilder from "@axe-core/playwright";
import { type Page, expect as see } from "@playwright/test";
import { describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder } from "../../agent/test/harness.ts";
import { IdentityProvider } from "../../agent/test/identity-provider.ts";
import { prepareVisits } from "./prepare-visits.ts";
import { alertOf, browserNeeded, hasBrowser, rowOf, type Visitors } from "./visitor.ts";

const GOOD = "correct horse battery";
const OTHER = "staple of another kind";
const REFUSED = /console error: Failed to load resource: the server responded with a status of 40[13]/;
/** What Chromium remarks on a form with two passwords, though it has the field that it misses. */
const HINT = /Password forms should have \(optionally hidden\) username fields/;
/** Its pages want a font and an icon. */
const OF_THE_PROVIDER = /ERR_NAME_NOT_RESOLVED|ERR_INTERNET_DISCONNECTED|status of 404|autocomplete attributes/;

describe.skipIf(!hasBrowser)(`the People page${browserNeeded}`, () => {
  let agent: AgentProcess;
  let visitors: Visitors;
  prepareVisits((prepared) => ({ agent, visitors } = prepared));

  const visitAs = (account: string, path = "/people", expected: RegExp[] = []) =>
    visitors.visit(agent, { path, account }, expected);
  const choose = (page: Page, label: string) => page.getByRole("dialog").getByText(label, { exact: true }).click();
  const accounts = (page: Page) => page.getByRole("list", { name: "Accounts" });

  it("is a click away, and makes an account that a link signs in", async () => {
    const page = await visitors.visit(agent);
    await page.getByRole("link", { name: "People", exact: true }).click();
    await page.getByRole("button", { name: "New account" }).click();
    await page.getByLabel("Name").fill("alice");
    await choose(page, "Operator");
    await page.getByRole("button", { name: "Make account" }).click();
    await see(accounts(page).getByText("alice")).toBeVisible();
    await see(accounts(page)).toContainText("operator");

    await page.getByRole("button", { name: "Login link: alice" }).click();
    await page.getByRole("button", { name: "Make the link" }).click();
    const link = await page.getByRole("dialog").locator("pre").innerText();
    await page.getByRole("button", { name: "Done" }).click();
    const theirs = await visitors.visit(agent, { account: "somebody.else" });
    const before = await rowOf(theirs, "sim0/ch0").elementHandle();
    await theirs.goto(link);
    await before!.waitForElementState("hidden"); // whoever signs in as another gets the page anew

    await see(rowOf(theirs, "sim0/ch0")).toBeVisible();
    await theirs.getByRole("button", { name: "Session", exact: true }).click();
    await see(theirs.getByRole("dialog")).toContainText("You are alice");
  });

  it("changes a role, which counts at once", async () => {
    const theirs = await visitAs("bob");
    const page = await visitors.visit(agent, { path: "/people" });
    await page.getByRole("button", { name: "Change: bob" }).click();
    await choose(page, "Admin");
    await page.getByRole("button", { name: "Change account" }).click();
    await see(page.getByRole("dialog")).toHaveCount(0);

    await see(theirs.getByRole("heading", { name: "Accounts" })).toHaveCount(0);
    await theirs.reload();

    await see(theirs.getByRole("heading", { name: "Accounts" })).toBeVisible();
  });

  it("disables after showing what ends, and they end", async () => {
    const theirs = await visitAs("carol", "/");
    await rowOf(theirs, "sim0/ch1").getByRole("button", { name: "Delegate sim0/ch1" }).click();
    await theirs.getByRole("button", { name: "Delegate", exact: true }).click();
    await see(theirs.getByRole("dialog")).toContainText("sim0/ch1");
    const page = await visitors.visit(agent, { path: "/people" });
    await page.getByRole("button", { name: "Disable: carol" }).click();
    const ends = page.getByRole("list", { name: "What it ends" });
    await see(ends).toContainText("sim0/ch1");
    await see(ends).toContainText("1 session and 0 tokens");

    await page.getByRole("button", { name: "Disable", exact: true }).click();

    await see(page.getByRole("dialog")).toHaveCount(0);
    await see(accounts(page).getByText("member, disabled")).toBeVisible();
    await see(theirs.getByRole("heading", { name: "Signed out" })).toBeVisible();
    await page.getByRole("button", { name: "Enable: carol" }).click();
    await see(accounts(page).getByText("member, disabled")).toHaveCount(0);
    await page.getByRole("button", { name: "Remove: carol" }).click();
    await page.getByRole("button", { name: "Remove", exact: true }).click();
    await see(accounts(page).getByText("carol")).toHaveCount(0);
  });

  it("shows a token once, and revokes it", async () => {
    const page = await visitAs("dave");
    await page.getByRole("button", { name: "New token" }).click();
    await page.getByLabel("What it is for").fill("nightly");
    await choose(page, "Look");
    await choose(page, "7 days");
    await page.getByRole("button", { name: "Make token" }).click();
    const token = await page.getByRole("dialog").locator("pre").innerText();
    const ask = () =>
      fetch(`${agent.url}/trpc/status.get`, { headers: { authorization: `Bearer ${token}` } }).then((it) => it.status);
    expect(await ask()).toBe(200);
    await page.getByRole("button", { name: "Done" }).click();
    await see(page.getByRole("list", { name: "Tokens" })).toContainText("nightly look");
    await see(page.getByText(token)).toHaveCount(0);

    await page.getByRole("button", { name: "Revoke token nightly" }).click();

    await see(page.getByRole("list", { name: "Tokens" })).not.toContainText("nightly");
    expect(await ask()).toBe(401);
  });

  it("shows a member what is its own, and nothing of others", async () => {
    const page = await visitAs("erin");

    await see(page.getByRole("heading", { name: "Sessions" })).toBeVisible();
    await see(page.getByRole("list", { name: "Sessions" }).getByRole("listitem")).toHaveCount(1);
    await see(page.getByRole("heading", { name: "Accounts" })).toHaveCount(0);
    await see(page.getByText("uid:")).toHaveCount(0);
  });

  it("sets a password, with which its owner signs in, and ends another browser's session", async () => {
    const page = await visitAs("fred", "/people", [REFUSED]);
    const other = await visitAs("fred");
    await see(page.getByText("You have no password")).toBeVisible();
    await page.getByRole("button", { name: "Set a password" }).click();
    await page.getByLabel("New password").fill(GOOD);
    await page.getByLabel("The same again").fill(GOOD);
    await page.getByRole("button", { name: "Set password" }).click();
    await see(page.getByText("You have a password")).toBeVisible();
    await see(other.getByRole("heading", { name: "Signed out" })).toBeVisible();

    await page.getByRole("button", { name: "Session", exact: true }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Account", { exact: true }).fill("fred");
    await page.getByLabel("Password", { exact: true }).fill("not this one at all");
    await page.getByRole("button", { name: "Sign in" }).click();
    await see(alertOf(page)).toContainText("do not belong together");
    await page.getByLabel("Password", { exact: true }).fill(GOOD);
    await page.getByRole("button", { name: "Sign in" }).click();

    await see(page.getByText("You have a password")).toBeVisible();
  });

  it("asks who got a password of an admin for another one", async () => {
    const page = await visitors.visit(agent, { path: "/people" }, [REFUSED, HINT]);
    await page.getByRole("button", { name: "New account" }).click();
    await page.getByLabel("Name").fill("gina");
    await page.getByRole("button", { name: "Make account" }).click();
    await page.getByRole("button", { name: "Password: gina" }).click();
    await page.getByLabel("New password").fill(GOOD);
    await page.getByLabel("The same again").fill(GOOD);
    await page.getByRole("button", { name: "Set password" }).click();
    await see(page.getByRole("dialog")).toHaveCount(0);
    await page.getByRole("button", { name: "Session", exact: true }).click();
    await page.getByRole("button", { name: "Sign out" }).click();
    await page.getByLabel("Account", { exact: true }).fill("gina");
    await page.getByLabel("Password", { exact: true }).fill(GOOD);
    await page.getByRole("button", { name: "Sign in" }).click();
    await see(alertOf(page)).toContainText("Choose another one now");

    await page.getByLabel("New password").fill(OTHER);
    await page.getByRole("button", { name: "Sign in" }).click();

    await see(page.getByText("You are gina")).toBeVisible();
  });

  it.each([
    ["light", 1280],
    ["dark", 390],
  ] as const)("is accessible in %s at %s pixels, and nothing is wider than that", async (colorScheme, width) => {
    const page = await visitors.visit(agent, { path: "/people", colorScheme, viewport: { width, height: 900 } });
    await see(page.getByRole("list", { name: "Sessions" }).getByRole("listitem").first()).toBeVisible();
    await see(page.getByRole("button", { name: "New account" })).toBeEnabled();

    const { violations } = await new AxeBuilder({ page }).analyze();

    expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    if (process.env.SCREENSHOTS)
      await page.screenshot({ path: `${process.env.SCREENSHOTS}/people-${colorScheme}-${width}.png`, fullPage: true });
  });
});

describe.skipIf(!hasBrowser)(`signing in by an identity provider, in a browser${browserNeeded}`, () => {
  let visitors: Visitors;
  prepareVisits((prepared) => ({ visitors } = prepared));

  it("goes there and comes back signed in, and the address keeps no secret", async () => {
    await using provider = await IdentityProvider.start();
    const folder = temporaryFolder();
    await using agent = await startAgent({ args: provider.optionsOf(folder) });
    rmSync(folder, { recursive: true });
    await provider.register(agent.url);
    const root = await agent.connect();
    await root.call("accounts.create", { name: "alice" });
    const page = await visitors.visit(agent, {}, [REFUSED, /^request to /, OF_THE_PROVIDER]);
    await see(rowOf(page, "sim0/ch0")).toBeVisible();
    await page.getByRole("button", { name: "Session", exact: true }).click();
    await page.getByRole("button", { name: "Sign out" }).click();

    await page.getByRole("button", { name: /^Continue with / }).click();
    await page.locator('input[name="login"]').fill("alice");
    await page.locator('input[name="password"]').fill("any");
    await page.locator('button[type="submit"]').click();
    await page.locator('button[type="submit"]').click();

    await see(rowOf(page, "sim0/ch0")).toBeVisible();
    expect(page.url()).toBe(`${agent.url}/`);
    await page.getByRole("button", { name: "Session", exact: true }).click();
    await see(page.getByRole("dialog")).toContainText("You are alice");
  });
});

// A person at a browser: a real Chromium with the dashboard of a real agent, in which nothing may happen that nobody expects.
import { existsSync } from "node:fs";
import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  chromium,
  expect,
  type Page,
} from "@playwright/test";
import type { AgentProcess } from "../../agent/test/harness.ts";

const CHROMIUM = "/usr/bin/chromium";
const ARGUMENTS = [
  "--no-sandbox",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--no-first-run",
];
const WAIT_MS = 30_000;

/** Looks until it is so. */
export const see = expect.configure({ timeout: WAIT_MS });

export const hasBrowser = existsSync(CHROMIUM);
export const browserNeeded = hasBrowser ? "" : " (skipped: apt-get install chromium)";

export interface VisitOptions extends BrowserContextOptions {
  path?: string;
  /** As whom; else as who runs the tests. It is made where there is none of this name. */
  account?: string;
  /** What the agent says is changed so on its way; for what this host's devices cannot do. */
  rewrite?: (message: string) => string;
}

/** A browser of its own for a test file, whose visitors share no cookies. */
export class Visitors implements AsyncDisposable {
  readonly #browser: Browser;
  readonly #visits: { context: BrowserContext; surprises: string[] }[] = [];

  private constructor(browser: Browser) {
    this.#browser = browser;
  }

  static async arrive(): Promise<Visitors> {
    return new Visitors(await chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS }));
  }

  /** Opens a page with a fresh login link, in a browser that was never here. `expected`: what its console may say, and where it may ask ("request to …"). */
  async visit(agent: AgentProcess, options: VisitOptions = {}, expected: RegExp[] = []): Promise<Page> {
    const { path = "/", account, rewrite, ...contextOptions } = options;
    const context = await this.#browser.newContext({ viewport: { width: 1280, height: 800 }, ...contextOptions });
    const surprises: string[] = [];
    this.#visits.push({ context, surprises });
    const note = (line: string) => {
      if (!expected.some((words) => words.test(line))) surprises.push(line);
    };
    context.on("console", (message) => note(`console ${message.type()}: ${message.text()}`));
    context.on("weberror", (error) => surprises.push(`page error: ${error.error().stack}`));
    context.on("request", (request) => {
      const { protocol, host } = new URL(request.url());
      if (protocol !== "data:" && host !== new URL(agent.url).host) note(`request to ${request.url()}`);
    });
    const page = await context.newPage();
    page.setDefaultTimeout(WAIT_MS);
    if (rewrite)
      await page.routeWebSocket(/\/trpc/, (route) => {
        const server = route.connectToServer();
        server.onMessage((message) => route.send(rewrite(String(message))));
      });
    await page.goto(await loginLink(agent, path, account));
    return page;
  }

  /** Everybody leaves; what they were surprised by. */
  async leave(): Promise<string[]> {
    const visits = this.#visits.splice(0);
    await Promise.all(visits.map(({ context }) => context.close()));
    return visits.flatMap(({ surprises }) => surprises);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#browser.close();
  }
}

export async function loginLink(agent: AgentProcess, path = "/", account?: string): Promise<string> {
  const connection = await agent.connect();
  const known = (await connection.call("accounts.list")).items.map(({ name }) => name);
  if (account !== undefined && !known.includes(account)) await connection.call("accounts.create", { name: account });
  const { url } = await connection.call("sessions.createLink", account === undefined ? {} : { account });
  connection.close();
  return url.replace("/#", `${path}#`);
}

/** The row of a buffer, by its state and all else that it says. */
export function rowOf(page: Page, buffer: string) {
  return page.getByRole("row").filter({ has: page.getByRole("link", { name: buffer, exact: true }) });
}

/** What is said aloud; Next has an alert of its own, which is empty until one goes to another page. */
export function alertOf(page: Page) {
  return page.getByRole("alert").filter({ hasText: /\S/ });
}

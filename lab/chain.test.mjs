// The whole chain: a browser on this host, the agent in the machine, a client there that writes into a real device's memory, and the file
// outside of it all that this memory is.
import { once } from "node:events";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { chromium, expect as see } from "@playwright/test";
import { describe, expect, it } from "vitest";
import { bundle } from "../scripts/bundle.mjs";
import { ROOT } from "../scripts/step.mjs";
import { bootMachine } from "./machine.mjs";
import { obstacle } from "./obstacle.mjs";

const CHROMIUM = "/usr/bin/chromium";
const BUNDLES = join(ROOT, "node_modules/.cache");
const MACHINE_TIMEOUT_MS = 4 * 60_000;
const why = obstacle("lab") ?? (existsSync(CHROMIUM) ? undefined : "apt-get install chromium");

describe("a browser on the host, a client in the machine", () => {
  it(
    "Revoke takes a real device's memory from the client, and the file behind it changes no more",
    async ({ skip }) => {
      if (why) skip(why);
      mkdirSync(BUNDLES, { recursive: true });
      const folder = mkdtempSync(join(BUNDLES, "lab-chain-"));
      chmodSync(folder, 0o755); // for the ordinary user inside
      const stop = new AbortController();
      const port = await freePort();
      const bar = join(folder, "bar");
      const said = new Lines();
      const entry = pathToFileURL(join(ROOT, "lab/guest/writer.ts"));
      await bundle({ entry, outfile: pathToFileURL(join(folder, "writer.mjs")), sourcemap: "inline" });
      const machine = bootMachine({
        ...{ kernel: "lab", bar, forward: port, timeoutMs: MACHINE_TIMEOUT_MS, signal: stop.signal },
        command: ["node", "--enable-source-maps", join(folder, "writer.mjs"), `${port}`],
        onLine: (line) => said.take(line),
      }).catch((error) => said.fail(error));
      const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--no-first-run"] });
      try {
        const { link, buffer, offset } = await said.next();
        const counter = () => readFileSync(bar).readUInt32LE(offset);
        const page = await browser.newPage();
        page.setDefaultTimeout(30_000); // the machine is emulated
        await page.goto(link);
        const row = page.getByRole("row").filter({ has: page.getByRole("link", { name: buffer, exact: true }) });
        await see(row).toContainText("writes a counter", { timeout: 30_000 });
        const before = counter();
        await see.poll(counter, { timeout: 30_000 }).toBeGreaterThan(before);

        await row.getByRole("button", { name: /^Revoke/ }).click();
        await see(row).toContainText(/dma-buf-revoke answered 0/, { timeout: 30_000 });
        const atProof = counter();
        const { last, later } = await said.next();

        expect(later).toEqual(["EFAULT"]);
        expect([atProof, counter()]).toEqual([last, last]);
      } finally {
        await browser.close();
        stop.abort();
        await machine;
        rmSync(folder, { recursive: true });
      }
    },
    MACHINE_TIMEOUT_MS,
  );
});

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** What the machine's command says as lines of JSON, one after the other. */
class Lines {
  #lines = [];
  #waiting = [];
  #error;
  #other = "";

  take(line) {
    if (!line.startsWith("{")) {
      this.#other += `${line}\n`;
      return;
    }
    this.#lines.push(JSON.parse(line));
    this.#waiting.shift()?.();
  }

  fail(error) {
    this.#error = error;
    for (const wake of this.#waiting.splice(0)) wake();
  }

  async next() {
    while (this.#lines.length === 0) {
      if (this.#error) throw new Error(`${this.#error.message}\n${this.#other}`, { cause: this.#error });
      await new Promise((resolve) => this.#waiting.push(resolve));
    }
    return this.#lines.shift();
  }
}

import { once } from "node:events";
import { existsSync } from "node:fs";
import type { Connection } from "@lendbuf/client/connection";
import { chromium } from "@playwright/test";
import { WebSocket } from "ws";
import { BenchAgent } from "./agent.ts";
import { median, quantile } from "./numbers.ts";
import type { Line, Row } from "./table.ts";

const SUBSCRIBERS = 100;
const BUFFER = "sim0/ch0";
const ROUNDS = 5;
const CHANGES = 40;
const BETWEEN_MS = 40;
const MINUTE_MS = 60_000;
/** Two calls each 20 ms: an offer made, and taken back. */
const PAIR_MS = 20;
const WARM_UP_MS = 10_000;
const LOADS = 10;
const CHROMIUM = "/usr/bin/chromium";

/** The browser's door: how soon a hundred screens hear of a change, what a busy minute leaves behind, how soon a page can be used. */
export async function door(): Promise<Line[]> {
  return [
    `The browser's door: ${SUBSCRIBERS} WebSockets that watch one buffer, the agent and they on all cores`,
    ...(await subscribers()),
    "The dashboard in Chromium, reloaded with an empty cache, until a buffer can be delegated",
    ...(await pageLoads()),
  ];
}

async function subscribers(): Promise<Row[]> {
  await using agent = await BenchAgent.start({ cores: "all", nodeArgs: ["--inspect=127.0.0.1:0"] });
  const connection = await agent.connect();
  const screens = await watchAll(agent, connection);
  const rounds: number[][] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await hearing(connection, screens));
  await changeFor(WARM_UP_MS, connection);
  const first = await agent.liveBytes();
  await changeFor(MINUTE_MS, connection);
  const grown = (await agent.liveBytes()) - first;
  for (const screen of screens) screen.close();
  return [
    { what: "from a change to each of them, p50", ours: rounds.map(median) },
    { what: "from a change to each of them, p99", ours: rounds.map((all) => quantile(all, 0.99)), target: "≤ 50 ms" },
    {
      what: "live heap, after a minute of 100 changes a second",
      ours: [grown],
      show: (bytes) => `${bytes < 0 ? "−" : "+"}${(Math.abs(bytes) / 2 ** 20).toFixed(1)} MiB`,
      target: "flat",
    },
  ];
}

/** A client that is sent each state of the buffer's delegations. */
class Screen {
  readonly #socket: WebSocket;
  #heard: () => void = () => {};

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.on("message", (data) => {
      const text = String(data);
      if (text === "PING") socket.send("PONG");
      else if (JSON.parse(text).result.type === "data") this.#heard();
    });
  }

  /** Resolves once it has the first state. */
  static async open(url: string, token: string): Promise<Screen> {
    const socket = new WebSocket(url, { headers: { authorization: `Bearer ${token}` } });
    await once(socket, "open");
    const screen = new Screen(socket);
    const first = screen.next();
    const params = { path: "delegations.watch", input: { buffer: BUFFER } };
    socket.send(JSON.stringify({ id: 1, method: "subscription", params }));
    await first;
    return screen;
  }

  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#heard = resolve;
    });
  }

  close(): void {
    this.#socket.terminate();
  }
}

async function watchAll(agent: BenchAgent, connection: Connection): Promise<Screen[]> {
  const { token } = await connection.call("tokens.create", { name: "bench", scope: "operate" });
  const opening = Array.from({ length: SUBSCRIBERS }, () =>
    Screen.open(`${agent.url.replace("http", "ws")}/trpc`, token),
  );
  return Promise.all(opening);
}

/** Each change by itself; how long until each of them had heard of it. */
async function hearing(connection: Connection, screens: readonly Screen[]): Promise<number[]> {
  const delays: number[] = [];
  let offered: number | undefined;
  for (let i = 0; i < CHANGES; i++) {
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    const start = performance.now();
    const heard = screens.map(async (screen) => {
      await screen.next();
      delays.push(performance.now() - start);
    });
    if (offered === undefined) offered = (await connection.call("delegations.request", { buffer: BUFFER })).id;
    else {
      await connection.call("delegations.release", { id: offered });
      offered = undefined;
    }
    await Promise.all(heard);
  }
  return delays;
}

async function changeFor(ms: number, connection: Connection): Promise<void> {
  const start = performance.now();
  for (let pair = 1; performance.now() - start < ms; pair++) {
    const { id } = await connection.call("delegations.request", { buffer: BUFFER });
    await connection.call("delegations.release", { id });
    const ahead = start + pair * PAIR_MS - performance.now();
    if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
  }
}

async function pageLoads(): Promise<Line[]> {
  if (!existsSync(CHROMIUM)) return [`left out: it needs ${CHROMIUM} (apt-get install chromium)`];
  await using agent = await BenchAgent.start({ cores: "all" });
  const connection = await agent.connect();
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: ["--no-sandbox", "--no-first-run"] });
  try {
    const page = await browser.newPage();
    const devtools = await page.context().newCDPSession(page);
    await devtools.send("Network.setCacheDisabled", { cacheDisabled: true });
    await page.goto((await connection.call("sessions.createLink", {})).url);
    const usable = page.getByRole("button", { name: `Delegate ${BUFFER}` });
    await usable.waitFor();
    const loads: number[] = [];
    for (let i = 0; i < LOADS; i++) {
      await page.reload({ waitUntil: "commit" });
      await usable.click({ trial: true }); // visible, still, enabled, and nothing lies over it
      loads.push(await page.evaluate(() => performance.now()));
    }
    return [{ what: "first load, until it is interactive", ours: loads, target: "≤ 1 s" }];
  } finally {
    await browser.close();
  }
}

// Fifty accounts, five hundred buffers and forty scripted clients, who borrow, queue, give back and die while an operator revokes and
// shuts out, and wardens and agents are killed: what must hold is looked at all the time and at the end.
import { chmodSync, chownSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Delegation } from "@lendbuf/shared/delegation";
import { ordinaryUser, startAgent, temporaryFolder, until } from "../harness.ts";
import { replay } from "../replay.ts";
import { Borrower } from "./borrower.ts";
import { chance } from "./chance.ts";
import { Disasters } from "./disasters.ts";
import { Growth } from "./growth.ts";
import { startHttp } from "./http-worker.ts";
import { Operator } from "./operator.ts";
import { watchBooks } from "./watcher.ts";
import { type StartWorker, startPackets, startPython, typeScript } from "./worker.ts";
import { World } from "./world.ts";

export const SIZES = { buffers: 500, clients: 40, scripts: 10 } as const;
/** So many of the clients are on the TypeScript client, and on the Python client; the rest speak packets. */
const ON_TYPESCRIPT = 4;
const ON_PYTHON = 4;
const FIRST_UID = 3000;
const PAGE = 4096;
/** Of the simulated device's region 2, what no buffer of its own has. */
const FREE_FROM = 4 << 20;
/** Garbage that a collection leaves, compiled code, and what a busy moment holds more than a quiet one. */
const MOST_GROWTH_BYTES = 4 << 20;
const HEAP_SAMPLES = 40;
/** For what was begun before the end: a restart, a client's start. */
const LAST_WORK_MS = 90_000;

const { uid: agentUid = process.getuid!() } = ordinaryUser();
/** Whether we may be others. */
const isMany = ordinaryUser().uid !== undefined;

export interface SoakReport {
  violations: string[];
  /** For people. */
  text: string;
}

export interface SoakOptions {
  seconds: number;
  /** worker-program.ts as one file. */
  program: string;
}

export async function soak({ seconds, program }: SoakOptions): Promise<SoakReport> {
  const folder = temporaryFolder();
  chmodSync(folder, 0o711);
  chownSync(folder, agentUid, agentUid);
  const world = new World();
  try {
    return await new Soak(world, folder, program).run(seconds * 1000);
  } finally {
    world.operator?.close();
    await world.agent?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

class Soak {
  readonly #world: World;
  readonly #folder: string;
  readonly #program: string;
  #growth!: Growth;

  constructor(world: World, folder: string, program: string) {
    this.#world = world;
    this.#folder = folder;
    this.#program = program;
  }

  async run(totalMs: number): Promise<SoakReport> {
    const world = this.#world;
    await this.#startAgent();
    const buffers = await this.#defineBuffers();
    const accounts = await this.#createAccounts();
    const borrowers = accounts.map((account, at) => this.#borrower(account, at, buffers));
    const begin = performance.now();
    const named = accounts.filter((account) => !account.startsWith("uid:"));
    const end = setTimeout(() => {
      world.isOver = true;
    }, totalMs);
    const parts: Record<string, Promise<void>> = {
      operator: new Operator(world, borrowers, buffers, named).run(),
      disasters: new Disasters(world, () => this.#startAgent()).run(totalMs),
      watcher: watchBooks(world),
      growth: this.#watchGrowth(totalMs / HEAP_SAMPLES),
      ...Object.fromEntries(borrowers.map((borrower, at) => [`client ${at}`, borrower.run()])),
    };
    await this.#untilOver(parts, totalMs);
    clearTimeout(end);
    return this.#finish(performance.now() - begin);
  }

  /** What fails ends all, and what does not come to its end is named. */
  async #untilOver(parts: Record<string, Promise<void>>, totalMs: number): Promise<void> {
    const world = this.#world;
    const open = new Set(Object.keys(parts));
    for (const [name, part] of Object.entries(parts))
      part
        .catch((cause: Error) => {
          world.violated(`${name} failed: ${cause.stack}\n${world.agent.output.slice(-3000)}`);
          world.isOver = true;
        })
        .finally(() => open.delete(name));
    await until(() => open.size === 0, "all come to their end", totalMs + LAST_WORK_MS).catch((cause) => {
      const facts = [
        `these go on and on: ${[...open].join(", ")}`,
        ...world.violations,
        world.agent.output.slice(-3000),
      ];
      throw new Error(facts.join("\n"), { cause });
    });
  }

  async #startAgent(): Promise<void> {
    const world = this.#world;
    const places = { state: join(this.#folder, "state"), socket: join(this.#folder, "agent.sock") };
    world.agent = await startAgent({ ...places, ...ordinaryUser(), nodeArgs: ["--inspect=127.0.0.1:0"] });
    world.operator = await world.agent.connect();
    this.#growth = await Growth.begin(world.agent);
  }

  async #defineBuffers(): Promise<string[]> {
    const names = Array.from({ length: SIZES.buffers }, (_none, at) => `soak/${String(at).padStart(3, "0")}`);
    for (const [at, name] of names.entries()) {
      const ranges = [{ offset: FREE_FROM + at * PAGE, length: PAGE }];
      await this.#world.operator.call("buffers.define", { name, device: "sim0", region: 2, ranges });
    }
    return names;
  }

  /** The clients' first; where all processes must be of one uid, theirs are all its account. */
  async #createAccounts(): Promise<string[]> {
    const accounts: string[] = [];
    for (let at = 0; at < SIZES.clients + SIZES.scripts; at++) {
      const name = `soaker${String(at).padStart(2, "0")}`;
      const isClient = at < SIZES.clients;
      await this.#world.operator.call("accounts.create", {
        name,
        kind: isClient ? "person" : "service",
        uids: isClient && isMany ? [FIRST_UID + at] : [],
      });
      accounts.push(isClient && !isMany ? `uid:${agentUid}` : name);
    }
    return accounts;
  }

  #borrower(account: string, at: number, buffers: readonly string[]): Borrower {
    const world = this.#world;
    const isClient = at < SIZES.clients;
    const start = this.#starterOf(at);
    const who = isMany ? { uid: FIRST_UID + at, gid: agentUid } : {};
    return new Borrower({
      world,
      account,
      buffers,
      lends: isClient,
      deaths: at < ON_TYPESCRIPT + ON_PYTHON ? 1 / 400 : 1 / 60,
      come: () => (isClient ? start(world.agent.socket, who) : startHttp(world.agent, world.operator, account)),
    });
  }

  #starterOf(at: number): StartWorker {
    if (at < ON_TYPESCRIPT) return typeScript(this.#program);
    return at < ON_TYPESCRIPT + ON_PYTHON ? startPython : startPackets;
  }

  async #watchGrowth(everyMs: number): Promise<void> {
    while (!this.#world.isOver) {
      await chance.pause(2 * everyMs);
      await this.#growth.sample().catch(() => this.#world.calm()); // the agent has gone
    }
  }

  /** Everybody has gone. */
  async #finish(tookMs: number): Promise<SoakReport> {
    const world = this.#world;
    const { operator, agent } = world;
    await world.witness.during({ reasons: ["panic"] }, () => operator.call("delegations.revokeAll"));
    const isEmpty = async () => (await operator.call("delegations.list")).total === 0;
    await until(isEmpty, "all have ended").catch(async () => {
      const { items } = await operator.call("delegations.list");
      world.violated(`still live at the end: ${JSON.stringify(items.slice(0, 3))}`);
    });
    const verdict = await operator.call("audit.verify");
    if (!verdict.ok) world.violated(`the audit does not verify: ${JSON.stringify(verdict.broken)}`);
    const lines = await this.#checkGrowth();
    operator.close();
    await agent.stop();
    const { kept, replayed } = replay(agent.state);
    if (JSON.stringify(kept) !== JSON.stringify(replayed)) world.violated(`the audit replays to another state`);
    const records = kept.delegation_records!.map((row) => JSON.parse(JSON.parse(row).record) as Delegation);
    for (const problem of world.witness.check(new Map(records.map((record) => [record.id, record]))))
      world.violated(problem);
    return {
      violations: world.violations,
      text: [
        `${Math.round(tookMs / 1000)} s: ${SIZES.clients} client processes, ${SIZES.scripts} scripts over HTTP, ${SIZES.buffers} buffers, ${isMany ? SIZES.clients + SIZES.scripts : SIZES.scripts + 1} accounts`,
        `${world.witness.told.size} delegations that a client was told of, ${records.length} in the books; ${reasonsOf(records)}`,
        `the audit has ${verdict.entries} entries, verifies and replays`,
        ...lines,
        world
          .counts()
          .map(([what, times]) => `${what} ${times}`)
          .join(", "),
      ].join("\n"),
    };
  }

  /** Of the last agent. */
  async #checkGrowth(): Promise<string[]> {
    const world = this.#world;
    const growth = this.#growth;
    await until(() => growth.filesNow <= growth.filesBefore, "what was opened is closed").catch(() =>
      world.violated(`files are open that were not at the start: ${growth.filesMore.join(", ")}`),
    );
    await growth.sample();
    const grownBytes = growth.heapGrowthBytes();
    if (grownBytes > MOST_GROWTH_BYTES) world.violated(`the agent's live heap has grown by ${mib(grownBytes)}`);
    const { samples } = growth;
    const lastedMs = samples.at(-1)!.atMs - samples[0]!.atMs;
    const heaps = [samples[0]!, samples[samples.length >> 1]!, samples.at(-1)!].map(({ heapBytes }) => mib(heapBytes));
    return [
      `the last agent, over ${Math.round(lastedMs / 1000)} s: ${growth.filesBefore} files open at its start, ${growth.filesNow} at the end (its wardens' too);`,
      `live heap ${heaps.join(", then ")}: by the line through ${samples.length} samples ${mib(grownBytes)} more; resident ${growth.residentBytes.map(mib).join(" and ")} (the warden)`,
    ];
  }
}

function reasonsOf(records: readonly Delegation[]): string {
  const counts = new Map<string, number>();
  for (const { reason } of records) counts.set(String(reason), (counts.get(String(reason)) ?? 0) + 1);
  return [...counts].map(([reason, times]) => `${reason} ${times}`).join(", ");
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}

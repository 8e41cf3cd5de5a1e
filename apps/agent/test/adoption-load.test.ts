// An upgrade under load loses no lease: clients that read and write all the time while their agent is killed, ended and started again.
import { join } from "node:path";
import { connect } from "@lendbuf/client/connect";
import type { Connection } from "@lendbuf/client/connection";
import type { Lease } from "@lendbuf/client/lease";
import type { AuditEntry } from "@lendbuf/shared/audit";
import { afterEach, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder } from "./harness.ts";

const CLIENTS = 40;
const SIZE = 16 << 10;
const FIRST = 4 << 20;

const folder = temporaryFolder();
const state = join(folder, "state");
const socket = join(folder, "agent.sock");
let agent: AgentProcess | undefined;
const connections: Connection[] = [];

afterEach(async () => {
  for (const connection of connections.splice(0)) connection.close();
  agent?.kill("SIGINT");
  await agent?.stop();
});

async function start(): Promise<void> {
  agent = await startAgent({ state, socket, args: ["--adopt-time", "60s"] });
}

async function open(): Promise<Connection> {
  const connection = await connect({ path: socket });
  connections.push(connection);
  return connection;
}

/** A packet does not take all of it at once. */
async function wholeAudit(connection: Connection): Promise<AuditEntry[]> {
  const entries: AuditEntry[] = [];
  for (let before: number | undefined; ; ) {
    const { items, next } = await connection.call("audit.list", { limit: 500, ...(before && { before }) });
    entries.push(...items);
    if (next === null) return entries;
    before = next;
  }
}

/** Writes and reads back what nobody else writes, until it is told to stop. */
class Worker {
  readonly lease: Lease;
  readonly #number: number;
  rounds = 0;
  #isStopped = false;
  readonly done: Promise<void>;

  constructor(lease: Lease, number: number) {
    this.lease = lease;
    this.#number = number;
    this.done = this.#work();
  }

  stop(): Promise<void> {
    this.#isStopped = true;
    return this.done;
  }

  async #work(): Promise<void> {
    const bytes = Buffer.alloc(SIZE);
    while (!this.#isStopped) {
      this.rounds++;
      bytes.fill(`${this.#number}:${this.rounds};`);
      this.lease.write(0, bytes);
      await new Promise(setImmediate);
      if (!bytes.equals(this.lease.read())) throw new Error(`client ${this.#number} reads what it did not write`);
    }
  }
}

it(`loses none of ${CLIENTS} leases, whichever way the agent ends`, { timeout: 240_000 }, async () => {
  await start();
  const operator = await open();
  const workers: Worker[] = [];
  const events: string[] = [];
  for (let number = 0; number < CLIENTS; number++) {
    const name = `load/${number}`;
    const ranges = [{ offset: FIRST + number * SIZE, length: SIZE }];
    await operator.call("buffers.define", { name, device: "sim0", region: 2, ranges });
    const lease = await (await open()).borrow(name, { for: "10m" });
    for (const event of ["revoking", "revoked", "lost"] as const)
      lease.on(event, () => events.push(`${number}: ${event}`));
    workers.push(new Worker(lease, number));
  }
  const ids = workers.map(({ lease }) => lease.delegation.id);

  for (const signal of ["SIGKILL", "SIGTERM", "SIGKILL", "SIGTERM", "SIGKILL"] as const) {
    const rounds = workers.map((worker) => worker.rounds);
    agent!.kill(signal);
    await agent!.exited;
    await start();
    // Each of them works, and is answered by the agent that is there now.
    const [answers] = [await Promise.all(workers.map(({ lease }) => lease.now()))];
    expect(answers.map(({ state: its, client }) => [its, client?.pid])).toEqual(ids.map(() => ["active", process.pid]));
    expect(workers.every((worker, index) => worker.rounds > rounds[index]!)).toBe(true);
  }
  await Promise.all(workers.map((worker) => worker.stop()));

  expect(events).toEqual([]);
  const last = await open();
  const entries = await wholeAudit(last);
  const count = (action: string) => entries.filter((entry) => entry.action === action).length;
  expect([count("agent.adopted"), count("delegation.resumed"), count("delegation.revoked")]).toEqual([5, 200, 0]);
  expect(await last.call("audit.verify")).toMatchObject({ ok: true });
  const extended = await workers[0]!.lease.extend("1m");
  expect(extended.expiresAt! - workers[0]!.lease.delegation.expiresAt!).toBe(60_000);
  expect(await workers[0]!.lease.release()).toMatchObject({ state: "revoked", reason: "released" });
});

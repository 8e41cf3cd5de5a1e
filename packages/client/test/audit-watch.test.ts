// The audit of real agents that come and go.
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { AuditEntry } from "@lendbuf/shared/audit";
import { afterEach, beforeEach, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder, until } from "../../../apps/agent/test/harness.ts";
import { AuditReplaced, watchAudit } from "../src/audit-watch.ts";
import { connect } from "../src/connect.ts";
import type { Connection } from "../src/connection.ts";
import { HttpAgent } from "../src/http.ts";

let folder: string;
let agent: AgentProcess;
const place = () => ({ state: join(folder, "state"), socket: join(folder, "agent.sock") });
const open = () => connect({ path: place().socket });

beforeEach(async () => {
  folder = temporaryFolder();
  agent = await startAgent(place());
});

afterEach(async () => {
  await agent.stop();
  rmSync(folder, { recursive: true });
});

async function lendOnce(): Promise<void> {
  using connection = await open();
  const lease = await connection.borrow("sim0/ddr", { wait: "10s" });
  await lease.release();
}

async function headOf(): Promise<number> {
  using connection = await open();
  const { items } = await connection.call("audit.list", { limit: 1 });
  return items[0]?.seq ?? 0;
}

/** Until the entry with this number. */
async function readTo(seq: number, entries: AsyncIterator<AuditEntry>): Promise<number[]> {
  const seen: number[] = [];
  while (seen.at(-1) !== seq) seen.push((await entries.next()).value.seq);
  return seen;
}

const from = (first: number, last: number) => Array.from({ length: last - first + 1 }, (_, index) => first + index);

it.each(["SIGKILL", "SIGTERM"] as const)("yields each entry once over an agent's restart after %s", async (signal) => {
  await lendOnce();
  const entries = watchAudit(open, { after: 0 });
  const before = await readTo(await headOf(), entries);

  const next = entries.next(); // waits where there is nothing
  agent.kill(signal);
  await agent.exited;
  agent = await startAgent(place());
  await lendOnce();
  const head = await headOf();
  const seen = [...before, (await next).value.seq, ...(await readTo(head, entries))];

  expect(seen).toEqual(from(1, head));
  await entries.return(undefined as never);
});

it("begins with what comes, where it is not told after what", async () => {
  await lendOnce();
  const head = await headOf();
  const connections: Connection[] = [];
  const entries = watchAudit(async () => {
    const connection = await open();
    connections.push(connection);
    return connection;
  });

  const next = entries.next();
  await until(() => connections.length === 1, "it has connected");
  for (const _trip of [1, 2, 3]) await connections[0]!.call("status.get"); // it has asked where the audit ends meanwhile
  agent.kill("SIGKILL");
  await agent.exited;
  agent = await startAgent(place());
  await lendOnce();

  expect((await next).value.seq).toBe(head + 1);
  await entries.return(undefined as never);
});

it("goes through the HTTP door too", async () => {
  using connection = await open();
  const { token } = await connection.call("tokens.create", { name: "audit", scope: "operate" });
  const entries = watchAudit(() => new HttpAgent(agent.url, token), { after: 0 });

  expect((await entries.next()).value.seq).toBe(1);
  agent.kill("SIGKILL");
  await agent.exited;
  agent = await startAgent(place());
  await lendOnce();

  const head = await headOf();
  expect(await readTo(head, entries)).toEqual(from(2, head));
  await entries.return(undefined as never);
});

it("says that the audit is another", async () => {
  await lendOnce();
  const entries = watchAudit(open, { after: (await headOf()) + 1000 });

  await expect(entries.next()).rejects.toBeInstanceOf(AuditReplaced);
});

it("ends by its signal, also while no agent is there, and says at first that there is none", async () => {
  const stop = new AbortController();
  const entries = watchAudit(open, { signal: stop.signal });
  const next = entries.next();
  await lendOnce();
  await next;
  const after = readTo(Number.POSITIVE_INFINITY, entries);
  after.catch(() => {});

  await agent.crash();
  stop.abort(new Error("enough"));

  await expect(after).rejects.toThrow("enough");
  await expect(watchAudit(open).next()).rejects.toMatchObject({ name: "NoAgent" });
});

import type { Connection } from "@lendbuf/client/connection";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";

const IDLE_MS = 1000;
const isRoot = process.getuid!() === 0;

// An agent that cannot look at every process decides nothing by what it saw.
describe.skipIf(!isRoot)("a lease that ends when it is idle (run as root to see it)", () => {
  let agent: AgentProcess;
  let client: Connection;

  beforeAll(async () => {
    agent = await startAgent();
    client = await agent.connect();
  });
  afterEach(() => client.call("delegations.revokeAll"));
  afterAll(() => agent?.stop());

  const endOf = async (id: number) => {
    for await (const { state, reason, endedAt } of client.subscribe("delegations.follow", { id }))
      if (state === "revoked") return { reason, endedAt: endedAt! };
    throw new Error("it has no end");
  };

  it("ends once nobody was seen to have it for so long, and not while somebody has it", async ({ skip }) => {
    const owner = await agent.connect();
    const lease = await owner.borrow({ buffer: "sim0/ch0", keep: true, idleMs: IDLE_MS });
    const kept = await owner.borrow({ buffer: "sim0/ch1", keep: true });
    const { id } = lease.delegation;
    const { notes } = await client.call("delegations.holders", { id });
    skip(notes.length > 0, `not every process can be looked at here, so nothing ends as idle: ${notes.join(" ")}`);
    const unsought = (await client.borrow({ buffer: "sim0/ch2", idleMs: 2 * IDLE_MS })).delegation.id;
    for await (const { at } of looks(id, 3 * IDLE_MS)) expect(at).toBeGreaterThan(0);
    expect((await client.call("delegations.get", { id })).state).toBe("active");

    const leftAt = Date.now();
    lease.close();
    kept.close();
    owner.close();

    const end = await endOf(id);
    expect(end.reason).toBe("idle");
    expect(end.endedAt - leftAt).toBeGreaterThanOrEqual(IDLE_MS);
    expect((await client.call("delegations.get", { id: kept.delegation.id })).state).toBe("active");
    expect((await client.call("delegations.get", { id: unsought })).state).toBe("active");
  });

  /** Looks at who has it, for so long. */
  async function* looks(id: number, forMs: number) {
    const until = performance.now() + forMs;
    while (performance.now() < until) yield await client.call("delegations.holders", { id });
  }
});

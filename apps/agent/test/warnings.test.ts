import { expect, it } from "vitest";
import { startAgent } from "./harness.ts";

it("a client is told of its lease's end as often as the agent was told to, and of an announced one at once and again", async () => {
  await using agent = await startAgent({ args: ["--notice", "200ms,600ms,400ms"] });
  const client = await agent.connect();
  const { id } = (await client.borrow({ buffer: "sim0/ch0", leaseMs: 6000 })).delegation;
  const told: unknown[] = [];
  for await (const { state, reason, ending } of client.subscribe("delegations.follow", { id })) {
    told.push(ending ? [ending.reason, ending.told] : state);
    if (state === "revoked") expect(reason).toBe("expired");
  }
  const other = (await client.borrow({ buffer: "sim0/ch0", leaseMs: 60_000 })).delegation;
  await client.call("delegations.revoke", { ids: [other.id], noticeMs: 500 });
  const announced: unknown[] = [];
  for await (const { ending } of client.subscribe("delegations.follow", { id: other.id }))
    if (ending) announced.push([ending.reason, ending.told]);

  const isWarning = (one: unknown) => Array.isArray(one);
  expect(told.filter(isWarning)).toEqual([1, 2, 3].map((times) => ["expired", times]));
  expect(announced).toEqual([1, 2, 3].map((times) => ["operator", times]));
});

it("not twice at the same time, nor before the last tenth of a short lease", async () => {
  await using agent = await startAgent();
  const client = await agent.connect();
  const { id, expiresAt } = (await client.borrow({ buffer: "sim0/ch0", leaseMs: 1000 })).delegation;
  const seen: { told: number; leftMs: number }[] = [];
  for await (const { ending } of client.subscribe("delegations.follow", { id }))
    if (ending) seen.push({ told: ending.told, leftMs: expiresAt! - Date.now() });

  expect(seen.map(({ told }) => told)).toEqual([1]);
  expect(seen[0]!.leftMs).toBeLessThanOrEqual(101);
});

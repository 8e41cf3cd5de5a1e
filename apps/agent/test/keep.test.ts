import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent } from "./harness.ts";

let agent: AgentProcess;

beforeAll(async () => {
  agent = await startAgent();
});

afterAll(() => agent.stop());

describe("a kept delegation that is claimed again", () => {
  it("has the memory that its client left, and what was left of its lease", async () => {
    const first = await agent.connect();
    const lease = await first.borrow({ buffer: "sim0/ddr", keep: true, leaseMs: 600_000 });
    const { id, expiresAt } = lease.delegation;
    lease.map().write(0, Buffer.from("left behind"));
    first.close();
    const second = await agent.connect();
    const feed = second.subscribe("delegations.follow", { id });
    for await (const { client } of feed) if (client === null) break;

    const again = await second.claim(id);

    const bytes = new Uint8Array(11);
    again.map().read(0, bytes);
    expect(Buffer.from(bytes).toString()).toBe("left behind");
    expect(again.delegation.expiresAt).toBe(expiresAt);
    expect(() => lease.map().load(0, 32)).toThrow(expect.objectContaining({ code: "EFAULT" }));
    lease.close();
    await again.release();
    second.close();
  });
});

// What a wall clock that is set forward or back does to what is lent: nothing.
import { rmSync } from "node:fs";
import { join } from "node:path";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, temporaryFolder, until } from "./harness.ts";
import { WallClock } from "./wall-clock.ts";

const HOUR_MS = 3_600_000;
const JUMPS = [
  ["forward", 100 * HOUR_MS],
  ["back", -100 * HOUR_MS],
] as const;
/** Long enough for the jump to come first, on any machine that is not at a standstill. */
const TIME_MS = 1500;

let folder: string;
let wallClock: WallClock;
let agent: AgentProcess;

beforeAll(async () => {
  folder = temporaryFolder();
  wallClock = new WallClock(join(folder, "clock"));
  await start();
});

afterAll(async () => {
  agent?.kill("SIGINT"); // with all that it lent
  await agent?.stop();
  wallClock?.close();
  rmSync(folder, { recursive: true, force: true });
});

async function start(args: string[] = []): Promise<void> {
  const places = { state: join(folder, "state"), socket: join(folder, "agent.sock") };
  agent = await startAgent({ ...places, args, env: wallClock.env });
}

/** Begins a time, sets the clock, and waits for the end: gives the reason and how long it took by a clock that nobody sets. */
async function endAcross(
  shiftMs: number,
  begin: () => Promise<number>,
): Promise<{ reason: string | null; afterMs: number }> {
  wallClock.shift(0);
  const start = performance.now();
  const id = await begin();
  wallClock.shift(shiftMs);
  return { reason: await endOf(id), afterMs: performance.now() - start };
}

/** Why it has ended, once it has. */
async function endOf(id: number): Promise<string | null> {
  const connection = await agent.connect();
  let last: Delegation | undefined;
  await until(async () => {
    last = await connection.call("delegations.get", { id });
    return isFinal(last.state);
  }, "its time runs out");
  return last!.reason;
}

describe.each(JUMPS)("a wall clock that is set %s", (_way, shiftMs) => {
  it("is what the agent sees", async () => {
    wallClock.shift(shiftMs);
    const connection = await agent.connect();

    const { id, requestedAt } = await connection.call("delegations.request", { buffer: "sim0/ch0" });

    expect(Math.abs(requestedAt - wallClock.now())).toBeLessThan(HOUR_MS);
    expect(Math.abs(requestedAt - Date.now())).toBeGreaterThan(HOUR_MS);
    await connection.call("delegations.release", { id });
  });

  it("ends a lease neither early nor late", async () => {
    const connection = await agent.connect();

    const { reason, afterMs } = await endAcross(shiftMs, async () => {
      const lease = await connection.borrow({ buffer: "sim0/ch1", leaseMs: TIME_MS });
      return lease.delegation.id;
    });

    expect(reason).toBe("expired");
    expect(afterMs).toBeGreaterThanOrEqual(TIME_MS - 1);
  });

  it("ends an announced end's notice neither early nor late", async () => {
    const connection = await agent.connect();

    const { reason, afterMs } = await endAcross(shiftMs, async () => {
      const { id } = (await connection.borrow({ buffer: "sim0/ch1" })).delegation;
      await connection.call("delegations.revoke", { ids: [id], noticeMs: TIME_MS });
      return id;
    });

    expect(reason).toBe("operator");
    expect(afterMs).toBeGreaterThanOrEqual(TIME_MS - 1);
  });

  it("lets an offer lapse neither early nor late", async () => {
    const connection = await agent.connect();

    const { reason, afterMs } = await endAcross(
      shiftMs,
      async () => (await connection.call("delegations.request", { buffer: "sim0/ch1", offerMs: TIME_MS })).id,
    );

    expect(reason).toBe("lapsed");
    expect(afterMs).toBeGreaterThanOrEqual(TIME_MS - 1);
  });

  it("while the agent is down takes nothing off an offer, which has its full time again", async () => {
    const connection = await agent.connect();
    wallClock.shift(0);
    const { id } = await connection.call("delegations.request", { buffer: "sim0/ch2", offerMs: TIME_MS });
    await agent.crash();
    wallClock.shift(shiftMs);
    const begin = performance.now();
    await start();

    expect(await endOf(id)).toBe("lapsed");
    expect(performance.now() - begin).toBeGreaterThanOrEqual(TIME_MS - 1);
  });

  describe("while what is lent waits for the next agent", () => {
    /** Outlasts a restart. */
    const LONG_MS = 8000;
    const ADOPT = ["--adopt-time", "60s"];

    beforeAll(async () => {
      await agent.stop();
      await start(ADOPT);
    });

    afterAll(async () => {
      agent.kill("SIGINT");
      await agent.stop();
      await start();
    });

    it.each([
      ["a lease", "expired", LONG_MS, null],
      ["an announced end", "operator", HOUR_MS, LONG_MS],
    ] as const)("ends %s neither early nor late", async (_what, expected, leaseMs, noticeMs) => {
      const connection = await agent.connect();
      wallClock.shift(0);
      const begin = performance.now();
      const { id } = (await connection.borrow({ buffer: "sim0/ch3", leaseMs })).delegation;
      if (noticeMs !== null) await connection.call("delegations.revoke", { ids: [id], noticeMs });
      await agent.crash();
      wallClock.shift(shiftMs);
      await start(ADOPT);

      expect(await endOf(id)).toBe(expected);
      expect(performance.now() - begin).toBeGreaterThanOrEqual(LONG_MS - 1);
    });
  });
});

import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door, type DoorSocket } from "./door-client.ts";
import { type AgentProcess, memoryOf, PROMPT_MS, startAgent } from "./harness.ts";

const MIB = 2 ** 20;

let agent: AgentProcess;
let door: Door;

beforeAll(async () => {
  agent = await startAgent();
  door = new Door(agent);
});

afterAll(() => agent.stop());

describe("a hundred subscribers", () => {
  const sockets: DoorSocket[] = [];

  beforeAll(async () => {
    const { headers } = await door.newToken();
    for (let i = 0; i < 100; i++) {
      const socket = door.socket(headers);
      await socket.opened;
      socket.begin("subscription", "delegations.watch", { buffer: "sim0/ch0" });
      await socket.next();
      await socket.next();
      sockets.push(socket);
    }
  });

  afterAll(() => {
    for (const socket of sockets.splice(0)) socket.close();
  });

  it("hear of one change at once", async () => {
    const connection = await agent.connect();
    const delays: number[] = [];
    for (let round = 0; round < 20; round++) {
      await new Promise((resolve) => setTimeout(resolve, 40)); // each change by itself, not one that waits behind another
      const start = performance.now();
      const heard = sockets.map(async (socket) => {
        await socket.next();
        delays.push(performance.now() - start);
      });
      if (round % 2 === 0) await connection.call("delegations.request", { buffer: "sim0/ch0" });
      else
        await connection.call("delegations.release", {
          id: (await connection.call("delegations.list", { buffer: "sim0/ch0" })).items[0]!.id,
        });
      await Promise.all(heard);
    }
    delays.sort((a, b) => a - b);
    const at = (share: number) => delays[Math.floor(delays.length * share)]!.toFixed(1);

    console.log(
      `one change to 100 WebSockets: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, last ${delays.at(-1)!.toFixed(1)} ms`,
    );
    expect(delays[Math.floor(delays.length * 0.99)]).toBeLessThan(PROMPT_MS);
    connection.close();
  });

  it("of 100 changes a second do not let the agent grow", async () => {
    const connection = await agent.connect();
    let states = 0;
    for (const { socket } of sockets) socket.on("message", () => states++);
    const change = async (seconds: number) => {
      const start = performance.now();
      for (let i = 0; performance.now() - start < seconds * 1000; i++) {
        const { id } = await connection.call("delegations.request", { buffer: "sim0/ch0" });
        await connection.call("delegations.release", { id });
        const ahead = start + (i + 1) * 20 - performance.now();
        if (ahead > 0) await new Promise((resolve) => setTimeout(resolve, ahead));
      }
    };
    await change(2); // the heap finds its size
    states = 0;
    const first = lowest();
    await change(4);
    const before = first.stop();
    const second = lowest();
    await change(4);
    const after = second.stop();

    console.log(
      `8 s of 100 changes a second to 100 WebSockets: ${states} states, the agent's memory ${(before / MIB).toFixed(0)} MiB, then ${(after / MIB).toFixed(0)} MiB`,
    );
    expect(after - before).toBeLessThan(64 * MIB);
    connection.close();
  });
});

/** The least memory that the agent had meanwhile: what it keeps, as between two collections it has more. */
function lowest(): { stop(): number } {
  let least = Number.POSITIVE_INFINITY;
  const look = () => {
    least = Math.min(least, memoryOf(agent.pid));
  };
  const timer = setInterval(look, 50);
  return {
    stop() {
      clearInterval(timer);
      look();
      return least;
    },
  };
}

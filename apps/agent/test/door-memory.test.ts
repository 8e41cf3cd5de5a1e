import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Door } from "./door-client.ts";
import { type AgentProcess, openFileNames, startAgent, until } from "./harness.ts";

/** Of region 2, what no buffer of the simulated device has. */
const FREE = [
  { offset: 4_194_304, length: 4096 },
  { offset: 4_202_496, length: 4096 },
];

let agent: AgentProcess;
let door: Door;
let token: { authorization: string };

beforeAll(async () => {
  agent = await startAgent();
  door = new Door(agent);
  token = (await door.newToken()).headers;
});

afterAll(() => agent.stop());

async function read(name: string, offset = 0, length = 16): Promise<Buffer> {
  const { json } = await door.call("buffers.read", { name, offset, length }, token);
  expect(json.error).toBeUndefined();
  return Buffer.from(json.result.data.bytes, "base64");
}

/** Exports that the agent or its warden has open. */
function exportsOpen(): number {
  return [agent.pid, ...agent.wardens].flatMap(openFileNames).filter((name) => name.startsWith("/memfd:")).length;
}

describe("buffers.read", () => {
  it("shows what a writer stores, within a few refreshes, at any offset", async () => {
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ddr" });
    const mapping = lease.map();
    const end = lease.size - 16;
    mapping.write(0, Buffer.from("first sixteen by"));
    mapping.write(end, Buffer.from("the last sixteen"));

    await until(async () => (await read("sim0/ddr")).toString() === "first sixteen by", "the start is seen");
    await until(async () => (await read("sim0/ddr", end)).toString() === "the last sixteen", "the end is seen");
    mapping.write(0, Buffer.from("second sixteen b"));
    await until(async () => (await read("sim0/ddr")).toString() === "second sixteen b", "the change is seen");

    await lease.release();
    expect((await read("sim0/ddr")).toString()).toBe("second sixteen b");
    connection.close();
  });

  it("of a buffer of several ranges gives them one after the other", async () => {
    const connection = await agent.connect();
    await connection.call("buffers.define", { name: "lab/two", device: "sim0", region: 2, ranges: FREE });
    const lease = await connection.borrow({ buffer: "lab/two" });
    lease.map().write(4096 - 8, Buffer.from("one end, another"));
    await lease.release();

    expect((await read("lab/two", 4096 - 8)).toString()).toBe("one end, another");
    await connection.call("buffers.remove", { name: "lab/two" });
    connection.close();
  });

  it.each([
    [{ name: "sim0/nope" }, 404, "NOT_FOUND"],
    [{ name: "sim0/regs", offset: 4096, length: 1 }, 400, "BAD_INPUT"],
    [{ name: "sim0/regs", offset: 4090, length: 7 }, 400, "BAD_INPUT"],
    [{ name: "sim0/regs", offset: -1 }, 400, "BAD_INPUT"],
    [{ name: "sim0/regs", offset: 0.5 }, 400, "BAD_INPUT"],
    [{ name: "sim0/regs", offset: Number.MAX_SAFE_INTEGER, length: 1 }, 400, "BAD_INPUT"],
    [{ name: "sim0/ddr", length: 0 }, 400, "BAD_INPUT"],
    [{ name: "sim0/ddr", length: 32_769 }, 400, "BAD_INPUT"],
  ])("refuses %j: %d %s", async (input, status, code) => {
    const answer = await door.call("buffers.read", input, token);

    expect([answer.status, answer.json.error.data.code]).toEqual([status, code]);
  });

  it("keeps nobody's memory: a borrower that was revoked has EFAULT while others look", async () => {
    const connection = await agent.connect();
    const lease = await connection.borrow({ buffer: "sim0/ch0" });
    const mapping = lease.map();
    mapping.write(0, Buffer.from("before the end"));
    await read("sim0/ch0");

    const { id } = lease.delegation;
    const { json } = await door.call("delegations.revoke", { ids: [id] }, token);

    expect(json.result.data[0]).toMatchObject({ state: "revoked", proof: { answer: "0" } });
    expect(() => mapping.read(0, new Uint8Array(4))).toThrow(expect.objectContaining({ code: "EFAULT" }));
    await read("sim0/ch0");
    expect(() => mapping.read(0, new Uint8Array(4))).toThrow(expect.objectContaining({ code: "EFAULT" }));
    connection.close();
  });

  it("follows a name that is defined anew to its new memory", async () => {
    const connection = await agent.connect();
    const contents: string[] = [];
    for (const range of FREE) {
      await connection.call("buffers.define", { name: "lab/moving", device: "sim0", region: 2, ranges: [range] });
      const lease = await connection.borrow({ buffer: "lab/moving" });
      lease.map().write(0, Buffer.from(`at ${range.offset}`.padEnd(16)));
      await lease.release();
      contents.push((await read("lab/moving")).toString().trimEnd());
      await connection.call("buffers.remove", { name: "lab/moving" });
    }

    expect(contents).toEqual(FREE.map(({ offset }) => `at ${offset}`));
    connection.close();
  });

  it("by many at once makes one view, which is gone when nobody looks any more", async () => {
    await until(() => exportsOpen() === exportsAtFirst, "earlier views are gone");

    await Promise.all(Array.from({ length: 50 }, () => read("sim0/ch2")));
    const open = exportsOpen();

    expect(open - exportsAtFirst).toBeLessThanOrEqual(2);
    await until(() => exportsOpen() === exportsAtFirst, "the view is gone");
  });
});

let exportsAtFirst = 0;

beforeAll(() => {
  exportsAtFirst = exportsOpen();
});

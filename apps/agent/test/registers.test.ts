import { chmodSync, ftruncateSync } from "node:fs";
import { dirname } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import type { AuditEntry } from "@lendbuf/shared/audit";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type AgentProcess, startAgent, until } from "./harness.ts";
import { Peer } from "./peer.ts";

const REGS = "sim0/regs";
const DDR = "sim0/ddr";
const GAIN = 0x104;
const WRITTEN = { offset: 0x40, width: 64, value: "0xfedcba9876543210" } as const;

describe("single words of a device", () => {
  let agent: AgentProcess;
  let operator: Connection;

  beforeAll(async () => {
    agent = await startAgent();
  });

  afterAll(() => agent?.stop());

  beforeEach(async () => {
    operator = await agent.connect();
  });

  /** The newest first. */
  const pokes = async (): Promise<AuditEntry[]> =>
    (await operator.call("audit.list", { limit: 500 })).items.filter(({ action }) => action.startsWith("buffer.poke"));

  it("are read in the width that was asked for", async () => {
    const read = async (width: 8 | 16 | 32 | 64, count: number) =>
      (await operator.call("buffers.peek", { name: REGS, offset: 0, width, count })).values;

    expect(await read(8, 5)).toEqual(["0x4c", "0x45", "0x4e", "0x44", "0x00"]);
    expect(await read(16, 2)).toEqual(["0x454c", "0x444e"]);
    expect(await read(32, 2)).toEqual(["0x444e454c", "0x00010000"]);
    expect(await read(64, 1)).toEqual(["0x00010000444e454c"]);
  });

  it("keep all of their 64 bits", async () => {
    const poked = await operator.call("buffers.poke", { name: DDR, ...WRITTEN });
    const { values } = await operator.call("buffers.peek", { name: DDR, offset: 0x40, width: 64 });

    expect(poked).toEqual({ ...WRITTEN, lentTo: [], at: expect.any(Number) });
    expect(values).toEqual([WRITTEN.value]);
  });

  it("are counted from the buffer's start over its ranges", async () => {
    const ranges = [
      { offset: 0x402000, length: 4096 },
      { offset: 0x400000, length: 4096 },
    ];
    await operator.call("buffers.define", { name: "two", device: "sim0", region: 2, ranges });
    await operator.call("buffers.define", {
      name: "low",
      device: "sim0",
      region: 2,
      ranges: [{ offset: 0x404000, length: 4096 }],
    });

    await operator.call("buffers.poke", { name: "two", offset: 4096 - 4, value: "0x1" });
    await operator.call("buffers.poke", { name: "two", offset: 4096, value: "0x2" });
    const { values } = await operator.call("buffers.peek", { name: "two", offset: 4096 - 4, count: 2 });
    await operator.call("buffers.remove", { name: "two" });
    await operator.call("buffers.define", { name: "second", device: "sim0", region: 2, ranges: [ranges[1]!] });
    const second = await operator.call("buffers.peek", { name: "second", offset: 0 });
    const other = await operator.call("buffers.peek", { name: "low", offset: 0 });

    expect(values).toEqual(["0x00000001", "0x00000002"]);
    expect([second.values, other.values]).toEqual([["0x00000002"], ["0x00000000"]]);
  });

  it("that are set change the signal of a channel, also while somebody has the registers", async () => {
    const client = await agent.connect();
    const registers = (await client.borrow({ buffer: REGS })).map();
    const { id } = (await client.call("delegations.list", { buffer: REGS })).items[0]!;
    const ring = (await client.borrow({ buffer: "sim0/ch1", access: "read-only" })).map();
    const samples = Buffer.alloc(1 << 20);
    const peak = () => {
      ring.read(0, samples);
      return new Int16Array(samples.buffer, samples.byteOffset, samples.length / 2).reduce((a, b) => Math.max(a, b), 0);
    };
    expect(peak()).toBe(8000);

    const poked = await operator.call("buffers.poke", { name: REGS, offset: GAIN + 0x20, value: "0x200" });
    await until(() => peak() === 16_000, "a square of twice the amplitude");

    expect(poked.lentTo).toEqual([{ id, account: `uid:${process.getuid!()}` }]);
    expect(registers.load(GAIN + 0x20, 32)).toBe(0x200);
    registers.store(GAIN + 0x20, 32, 0x100);
    const { values } = await operator.call("buffers.peek", { name: REGS, offset: GAIN + 0x20 });
    expect(values).toEqual(["0x00000100"]);
    client.close();
  });

  it("that are written are in the audit, those that are read are not", async () => {
    await operator.call("buffers.poke", { name: DDR, ...WRITTEN });
    const entries = await pokes();
    await operator.call("buffers.peek", { name: DDR, offset: 0 });

    expect(entries[0]).toMatchObject({ action: "buffer.poked", buffer: DDR, detail: WRITTEN });
    expect(await pokes()).toEqual(entries);
  });

  it("that cannot be written are in the audit with why", async () => {
    const client = await agent.connect();
    const { fd } = await client.borrow({ buffer: DDR });
    ftruncateSync(fd, 0);

    await expect(operator.call("buffers.poke", { name: DDR, offset: 0, value: "0x1" })).rejects.toMatchObject({
      code: "EFAULT",
      message: expect.stringContaining("cut it short"),
    });
    const items = await pokes();
    client.close();

    expect(items.slice(0, 2).map(({ action }) => action)).toEqual(["buffer.poke-failed", "buffer.poked"]);
    expect(items[0]!.detail).toMatchObject({ offset: 0, why: expect.stringContaining("cut it short") });
  });

  it.each([
    ["an offset that is not aligned", { offset: 2 }, "BAD_INPUT", /Offset 2 is not a multiple of 4/],
    ["an offset past the end", { offset: 4096 }, "BAD_INPUT", /Bytes 4096 to 4100 are not in "sim0\/regs"/],
    ["a width that there is not", { offset: 0, width: 24 }, "BAD_INPUT", /width/],
    ["no buffer", { name: "sim0/nope", offset: 0 }, "NOT_FOUND", /no buffer "sim0\/nope"/],
  ])("are refused: %s", async (_, asked, code, message) => {
    const before = await pokes();
    const word = { name: REGS, ...asked } as { name: string; offset: number };

    await expect(operator.call("buffers.peek", word)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    await expect(operator.call("buffers.poke", { ...word, value: "0x1" })).rejects.toMatchObject({ code });

    expect(await pokes()).toEqual(before);
  });

  it.each([
    ["a value of more bits than the width", { width: 8, value: "0x100" }, /0x100 has more than 8 bits/],
    ["a value that is no number", { value: "on" }, /0x and up to 16/],
    ["a value below 0", { value: "-0x1" }, /0x and up to 16/],
  ] as const)("are refused: %s", async (_, asked, message) => {
    await expect(operator.call("buffers.poke", { name: REGS, offset: 8, ...asked })).rejects.toMatchObject({
      code: "BAD_INPUT",
      message: expect.stringMatching(message),
    });
  });

  it("past the end of a count are refused before any is read", async () => {
    await expect(operator.call("buffers.peek", { name: REGS, offset: 4088, count: 3 })).rejects.toMatchObject({
      code: "BAD_INPUT",
    });
  });

  it("are lost with a device, and nobody dies of it", async () => {
    const [warden] = agent.wardens;
    process.kill(warden!, "SIGSTOP");
    const asked = operator.call("buffers.peek", { name: REGS, offset: 0 });
    const refused = expect(asked).rejects.toMatchObject({
      code: "DEVICE_LOST",
      message: expect.stringMatching(/gone/),
    });
    await operator.call("status.get"); // by now it is on its way
    process.kill(warden!, "SIGKILL");

    await refused;
    await until(async () => (await operator.call("devices.list"))[0]!.state === "ready", "another warden");
    expect((await operator.call("buffers.peek", { name: REGS, offset: 0 })).values).toEqual(["0x444e454c"]);
  });

  it.skipIf(process.getuid!() !== 0)(
    "are for operators only, and need root here to be tried as somebody else",
    async () => {
      chmodSync(dirname(agent.socket), 0o755);
      chmodSync(agent.socket, 0o666);
      const peer = new Peer({ uid: 1000 });
      await peer.connect(agent.socket);

      const peeked = await peer.ask("buffers.peek", { name: REGS, offset: 0 });
      const poked = await peer.ask("buffers.poke", { name: REGS, offset: 8, value: "0x1" });
      await peer.stop();

      expect([peeked, poked].map(({ error }) => error?.data.code)).toEqual(["NOT_ALLOWED", "NOT_ALLOWED"]);
    },
  );
});

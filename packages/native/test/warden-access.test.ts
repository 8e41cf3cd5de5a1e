import { ftruncateSync, readSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { until } from "./until.ts";
import { builds } from "./warden-builds.ts";
import { type Lent, MEMORY, PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const ID = 0x444e454cn;
const SAMPLE_RATE = 0x008;
const SAMPLES = 0x010;
const { EINVAL, EFAULT } = constants.errno;

function load32({ fd }: Lent, offset: number): number {
  const bytes = Buffer.alloc(4);
  readSync(fd, bytes, 0, 4, offset);
  return bytes.readUInt32LE(0);
}

const registersOf = (warden: Warden, readOnly = false) =>
  warden.export({ region: REGISTERS, ranges: [{ offset: 0, length: 4096 }], readOnly });

describe.each(builds)("single accesses ($name)", (build) => {
  it("load and store each width in plain memory, and nothing beside it", async () => {
    await using warden = new Warden(build);
    const at = { region: MEMORY, offset: PLAIN + 8 };
    const load = async (offset: number, width: number) => (await warden.access({ ...at, offset, width })).value;

    for (const [width, value] of [
      [64, 0x8877665544332211n],
      [32, 0xddccbbaan],
      [16, 0xffeen],
      [8, 0x99n],
    ] as const)
      expect(await warden.access({ ...at, width, value })).toMatchObject({ error: 0, words: "" });

    expect(await load(PLAIN + 8, 64)).toBe(0x88776655ddccff99n);
    expect(await load(PLAIN + 12, 32)).toBe(0x88776655n);
    expect(await load(PLAIN + 10, 16)).toBe(0xddccn);
    expect(await load(PLAIN + 9, 8)).toBe(0xffn);
    expect([await load(PLAIN, 64), await load(PLAIN + 16, 64)]).toEqual([0n, 0n]);
  });

  it("read and set the registers while nobody has them, and the device keeps what it must", async () => {
    await using warden = new Warden(build);

    await warden.access({ offset: SAMPLE_RATE, value: 5n });
    await warden.access({ offset: 0, value: 0n });
    const first = (await warden.access({ offset: SAMPLES, width: 64 })).value;
    await until(async () => (await warden.access({ offset: SAMPLES, width: 64 })).value > first);

    expect((await warden.access({ offset: SAMPLE_RATE })).value).toBe(1000n);
    expect((await warden.access({ offset: 0 })).value).toBe(ID);
  });

  it("reach the registers that somebody has, and both see it", async () => {
    await using warden = new Warden(build);
    const writer = await registersOf(warden);
    const reader = await registersOf(warden, true);
    writeSync(writer.fd, Buffer.from([0x40, 0x0d, 0x03, 0]), 0, 4, SAMPLE_RATE); // 200,000

    const seen = (await warden.access({ offset: SAMPLE_RATE })).value;
    await warden.access({ offset: SAMPLE_RATE, value: 100_000n });
    await warden.access({ offset: 0, value: 0n });

    expect(seen).toBe(200_000n);
    expect([load32(writer, SAMPLE_RATE), load32(writer, 0)]).toEqual([100_000, Number(ID)]);
    await until(() => load32(reader, SAMPLE_RATE) === 100_000);
  });

  it("reach the memory that somebody writes, and whoever has it next finds the same", async () => {
    await using warden = new Warden(build);
    const ranges = [
      { offset: PLAIN + 8192, length: 4096 },
      { offset: PLAIN, length: 4096 },
    ];
    const writer = await warden.export({ ranges });
    writeSync(writer.fd, Buffer.from([1, 2, 3, 4]), 0, 4, 4096 + 0x20);

    const seen = (await warden.access({ region: MEMORY, offset: PLAIN + 0x20 })).value;
    await warden.access({ region: MEMORY, offset: PLAIN + 0x24, value: 0x5eedn });
    const shown = load32(writer, 4096 + 0x24);
    await warden.revoke(writer.id);

    expect([seen, shown]).toEqual([0x04030201n, 0x5eed]);
    expect((await warden.access({ region: MEMORY, offset: PLAIN + 0x24 })).value).toBe(0x5eedn);
    expect(load32(await warden.export({ ranges, id: warden.nextId() }), 4096 + 0x24)).toBe(0x5eed);
  });

  it("show in the mirror of whoever may only read", async () => {
    await using warden = new Warden(build);
    const reader = await warden.export({ readOnly: true });

    await warden.access({ region: MEMORY, offset: PLAIN + 4, value: 7n });

    await until(() => load32(reader, 4) === 7);
  });

  it("answer EFAULT where the holder has cut the memory short, and the warden lives on", async () => {
    await using warden = new Warden(build);
    const writer = await warden.export();
    ftruncateSync(writer.fd, 0);

    const cut = await warden.access({ region: MEMORY, offset: PLAIN });

    expect([cut.error, cut.words]).toEqual([EFAULT, expect.stringContaining("cut it short")]);
    expect((await warden.access()).value).toBe(ID);
  });

  it.each([
    ["a width that there is not", { width: 24 }, /8, 16, 32 or 64 bits/],
    ["no width", { width: 0 }, /8, 16, 32 or 64 bits/],
    ["an offset that is not aligned", { offset: 2 }, /not aligned to 32 bits/],
    ["an offset past the end", { offset: 4096 }, /past the end of region 0, which has 4096 bytes/],
    ["an offset far past the end", { offset: Number.MAX_SAFE_INTEGER - 3, width: 8 }, /past the end/],
    ["a value that is too large", { width: 8, value: 256n }, /more than 8 bits/],
    ["a region that there is not", { region: 1 }, /no region 1/],
  ])("are refused: %s", async (_, access, words) => {
    await using warden = new Warden(build);

    const refused = await warden.access(access);

    expect([refused.error, refused.words]).toEqual([EINVAL, expect.stringMatching(words)]);
    expect((await warden.access()).value).toBe(ID);
  });

  it("are refused for good where the packet has not its length", async () => {
    const warden = new Warden(build);
    await warden.ready();

    warden.socket.send(Uint8Array.of(7, 0, 0, 0, 1, 0, 0, 0));

    expect(await warden.ended).toMatchObject({ status: 2, errors: expect.stringContaining("too short") });
  });
});

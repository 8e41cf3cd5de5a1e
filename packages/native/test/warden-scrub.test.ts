import { readSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { until } from "./until.ts";
import { builds } from "./warden-builds.ts";
import { MEMORY, PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const GAIN = 0x104;
const SAMPLE_RATE = 0x008;
const { EBUSY, EINVAL, EIO } = constants.errno;

function read(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, offset);
  return bytes;
}

describe.each(builds)("what happens between two borrowers ($name)", (build) => {
  it("a scrub leaves nothing of the borrower before, and reads back all of it", async () => {
    await using warden = new Warden(build);
    const ranges = [
      { offset: PLAIN, length: 8192 },
      { offset: PLAIN + (1 << 20), length: 4096 },
    ];
    const before = await warden.export({ ranges });
    writeSync(before.fd, "a secret", 4090);
    writeSync(before.fd, "another", 8192);
    await warden.revoke(before.id);

    const done = await warden.scrub({ ranges });
    const after = await warden.export({ ranges });

    expect(done).toMatchObject({ error: 0, value: 12_288n });
    expect(read(after.fd, 0, 12_288).equals(Buffer.alloc(12_288))).toBe(true);
  });

  it("a scrub with a pattern writes words of its width, and nothing beside its ranges", async () => {
    await using warden = new Warden(build);

    await warden.scrub({ word: 0xdeadn, width: 16 });
    const after = await warden.export({ ranges: [{ offset: PLAIN - 4096, length: 3 * 4096 }] });

    expect(read(after.fd, 4096, 4096).equals(Buffer.alloc(4096, Buffer.from([0xad, 0xde])))).toBe(true);
    expect(read(after.fd, 0, 4096).equals(Buffer.alloc(4096))).toBe(true);
    expect(read(after.fd, 8192, 4096).equals(Buffer.alloc(4096))).toBe(true);
  });

  it("a scrub is refused while somebody may write there, and readers of ours see it", async () => {
    await using warden = new Warden(build);
    const writer = await warden.export();
    writeSync(writer.fd, "mine", 0);

    const refused = await warden.scrub();
    const seen = read(writer.fd, 0, 4).toString();
    await warden.revoke(writer.id);
    const reader = await warden.export({ readOnly: true });
    const done = await warden.scrub();

    expect(refused).toMatchObject({ error: EBUSY, words: expect.stringContaining("revoke that first") });
    expect(seen).toBe("mine");
    expect(done.error).toBe(0);
    await until(() => read(reader.fd, 0, 4).equals(Buffer.alloc(4)));
  });

  it("a scrub of registers is the settings as at the start; a pattern that they do not take is told", async () => {
    await using warden = new Warden(build);
    const registers = { region: REGISTERS, ranges: [{ offset: 0, length: 4096 }] };
    await warden.access({ offset: SAMPLE_RATE, value: 1000n });
    await warden.access({ offset: 0x800, value: 7n });

    const zeroed = await warden.scrub(registers);
    const pattern = await warden.scrub({ ...registers, word: 0x5an, width: 8 });

    expect(zeroed.error).toBe(0);
    expect(pattern).toMatchObject({ error: EIO, words: expect.stringMatching(/^byte 0x\d+ of region 0 reads 0x/) });
    await warden.scrub(registers);
    expect((await warden.access({ offset: SAMPLE_RATE })).value).toBe(250_000n);
    expect((await warden.access({ offset: 0x800 })).value).toBe(0n);
  });

  it.each([
    ["a width that is none", { width: 24 }, "8, 16, 32 or 64 bits, not 24"],
    ["a word that is wider", { word: 256n, width: 8 }, "256 has more than 8 bits"],
    ["a range past the end", { ranges: [{ offset: 16 << 20, length: 4096 }] }, "past the end of region 2"],
    ["no range", { ranges: [] }, "1 to 16 ranges"],
  ])("a scrub refuses %s", async (_what, scrub, words) => {
    await using warden = new Warden(build);

    expect(await warden.scrub({ region: MEMORY, ...scrub })).toMatchObject({
      error: EINVAL,
      words: expect.stringContaining(words),
    });
  });

  it("a reset gives the registers their start values, and waits for who may write", async () => {
    await using warden = new Warden(build);
    await warden.access({ offset: GAIN, value: 1n });
    const writer = await warden.export();

    const refused = await warden.reset();
    const meanwhile = (await warden.access({ offset: GAIN })).value;
    await warden.revoke(writer.id);
    const done = await warden.reset();

    expect([refused.error, meanwhile]).toEqual([EBUSY, 1n]);
    expect(done.error).toBe(0);
    expect((await warden.access({ offset: GAIN })).value).toBe(256n);
  });
});

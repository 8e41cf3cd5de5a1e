import { ftruncateSync, readSync, writeSync } from "node:fs";
import { constants } from "node:os";
import { describe, expect, it } from "vitest";
import { builds } from "./warden-builds.ts";
import { type Lent, MEMORY, PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const { EACCES, EFAULT, EINVAL, ENOTSUP } = constants.errno;
const EBADFD = 77;
const KIB = 1024;

function load32({ fd }: Lent, offset: number): number {
  const bytes = Buffer.alloc(4);
  readSync(fd, bytes, 0, 4, offset);
  return bytes.readUInt32LE(0);
}

const start = (build: (typeof builds)[number]) => new Warden(build, { exporter: "staged" });

describe.each(builds)("a window onto the device ($name)", (build) => {
  it("has zeros until something is copied, and then what the device had", async () => {
    await using warden = start(build);
    const at = { region: MEMORY, offset: PLAIN + 4 };
    await warden.access({ ...at, value: 0x5eedn });
    const window = await warden.export();
    const before = load32(window, 4);

    const { error, value } = await warden.sync({ id: window.id, offset: 4, length: 4 });

    expect([before, error, value, load32(window, 4)]).toEqual([0, 0, 4n, 0x5eed]);
    await warden.access({ ...at, value: 1n });
    expect(load32(window, 4)).toBe(0x5eed);
  });

  it("copies to the device what was asked, range by range, and nothing beside it", async () => {
    await using warden = start(build);
    const ranges = [
      { offset: PLAIN + 64 * KIB, length: 4 * KIB },
      { offset: PLAIN, length: 4 * KIB },
    ];
    const window = await warden.export({ ranges });
    writeSync(window.fd, Buffer.alloc(8 * KIB, 7));

    await warden.sync({ id: window.id, offset: 4 * KIB - 8, length: 16, width: 64, toDevice: true });

    const load = async (offset: number) => (await warden.access({ region: MEMORY, offset, width: 64 })).value;
    const sevens = 0x0707070707070707n;
    expect([await load(PLAIN + 68 * KIB - 8), await load(PLAIN)]).toEqual([sevens, sevens]);
    expect([await load(PLAIN + 68 * KIB - 16), await load(PLAIN + 8)]).toEqual([0n, 0n]);
  });

  it("shows registers, and sets them, which stay what the device makes of them", async () => {
    await using warden = start(build);
    const window = await warden.export({ region: REGISTERS, ranges: [{ offset: 0, length: 4 * KIB }] });
    writeSync(window.fd, Buffer.from([5, 0, 0, 0]), 0, 4, 8);

    await warden.sync({ id: window.id, offset: 8, length: 4, toDevice: true });
    await warden.sync({ id: window.id, length: 16 });

    expect([load32(window, 0), load32(window, 8)]).toEqual([0x444e454c, 1000]);
  });

  it("copies nothing once it is revoked, even in the middle of a copy", async () => {
    await using warden = start(build);
    const window = await warden.export({ ranges: [{ offset: PLAIN, length: 8 << 20 }] });
    writeSync(window.fd, Buffer.alloc(8 << 20, 1));

    const copying = warden.sync({ id: window.id, length: 8 << 20, width: 8, toDevice: true });
    const [entry] = await warden.revoke(window.id);

    const last = { region: MEMORY, offset: PLAIN + (8 << 20) - 8, width: 64 };
    expect(entry).toMatchObject({ method: "ftruncate", safe: true });
    expect((await copying).error).toBe(EBADFD);
    expect((await warden.access(last)).value).toBe(0n);
    expect((await warden.sync({ id: window.id })).error).toBe(EBADFD);
  });

  it("is refused where whoever has it has cut it short", async () => {
    await using warden = start(build);
    const window = await warden.export();
    ftruncateSync(window.fd, 0);

    const answers = [await warden.sync({ id: window.id }), await warden.sync({ id: window.id, toDevice: true })];

    expect(answers.map(({ error }) => error)).toEqual([EFAULT, EFAULT]);
  });

  it("copies nothing to the device where it is read-only", async () => {
    await using warden = start(build);
    const window = await warden.export({ readOnly: true });

    expect((await warden.sync({ id: window.id, toDevice: true })).error).toBe(EACCES);
    expect((await warden.sync({ id: window.id })).error).toBe(0);
  });

  it.each([
    ["a width that there is not", { width: 24 }, /8, 16, 32 or 64 bits/],
    ["an offset that is not aligned", { offset: 2, length: 4 }, /not both multiples of 32 bits/],
    ["a length that is not aligned", { length: 6 }, /not both multiples of 32 bits/],
    ["more than the window has", { offset: 4, length: 4 * KIB }, /not in the window, which has 4096/],
    ["an offset far past the end", { offset: 2 ** 53 - 8, length: 4 }, /not in the window/],
  ])("is refused: %s", async (_, sync, words) => {
    await using warden = start(build);
    const { id } = await warden.export();

    const refused = await warden.sync({ id, ...sync });

    expect([refused.error, refused.words]).toEqual([EINVAL, expect.stringMatching(words)]);
  });

  it("is the only kind of export that is copied", async () => {
    await using warden = start(build);
    const { id } = await warden.export({ kind: "memfd" });

    expect(await warden.sync({ id })).toMatchObject({ error: ENOTSUP, words: expect.stringContaining("staged") });
  });

  it("is refused of a device whose memory cannot be suspended to be suspended", async () => {
    await using warden = start(build);

    expect(await warden.suspend(true)).toMatchObject({ error: ENOTSUP });
  });
});

import { execFileSync } from "node:child_process";
import { fstatSync, readSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { builds } from "./warden-builds.ts";
import { MEMORY, PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const KIB = 1024;

function read(fd: number, offset: number, length: number): string {
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, offset);
  return bytes.toString("latin1");
}

describe.each(builds)("an export of the warden ($name)", (build) => {
  it("comes after a self-test, whose words say what was seen", async () => {
    await using warden = new Warden(build);

    const ready = await warden.ready();
    const memfd = await warden.capability();

    const plain = { readable: true, writable: true, mappable: true, unlendable: null, withheld: null };
    expect(ready).toMatchObject({ version: 5, access: "none" });
    expect(ready.exporters.map(({ kind }) => kind)).toEqual(["memfd", "staged"]);
    expect(memfd).toMatchObject({ works: true, method: "ftruncate", scope: "buffer" });
    expect(ready.regions).toEqual([
      { index: REGISTERS, size: 4 * KIB, ...plain },
      { index: MEMORY, size: 16 * KIB * KIB, ...plain },
    ]);
    expect(memfd.words).toContain("revoked and seen gone");
    expect(memfd.rungs).toEqual([{ method: "ftruncate", scope: "buffer", works: true, error: 0, words: memfd.words }]);
  });

  it("is a private memfd of the ranges' size that cannot grow or be sealed further", async () => {
    await using warden = new Warden(build);

    const { fd, error } = await warden.export({ ranges: [{ offset: PLAIN, length: 64 * KIB }] });

    expect(error).toBe(0);
    expect(fstatSync(fd)).toMatchObject({ size: 64 * KIB });
    expect(fstatSync(fd).mode & 0o777).toBe(0o600);
    expect(() => writeSync(fd, "x", 64 * KIB)).toThrow("EPERM");
  });

  it("leaves its contents to the next borrower, ranges joined in the order asked for", async () => {
    await using warden = new Warden(build);
    const [first, second] = [PLAIN + 8 * KIB * KIB, PLAIN];
    const ranges = [
      { offset: first, length: 8 * KIB },
      { offset: second, length: 4 * KIB },
    ];

    const writer = await warden.export({ ranges });
    writeSync(writer.fd, "first", 4 * KIB);
    writeSync(writer.fd, "second", 8 * KIB);
    await warden.revoke(writer.id);
    const next = await warden.export({ ranges: ranges.toReversed() });

    expect(fstatSync(next.fd).size).toBe(12 * KIB);
    expect(read(next.fd, 0, 6)).toBe("second");
    expect(read(next.fd, 8 * KIB, 5)).toBe("first");
  });

  it("passes on zeros where the last borrower punched a hole or cut its memory short", async () => {
    await using warden = new Warden(build);
    const ranges = [{ offset: PLAIN, length: 16 * KIB }];
    const full = await warden.export({ ranges });
    writeSync(full.fd, "x".repeat(16 * KIB), 0);
    await warden.revoke(full.id);
    const holed = await warden.export({ ranges });

    execFileSync("fallocate", ["-p", "-o", `${4 * KIB}`, "-l", `${4 * KIB}`, "/proc/self/fd/3"], {
      stdio: ["ignore", "ignore", "inherit", holed.fd],
    });
    execFileSync("truncate", ["-s", `${12 * KIB}`, "/proc/self/fd/3"], {
      stdio: ["ignore", "ignore", "inherit", holed.fd],
    });
    await warden.revoke(holed.id);
    const next = await warden.export({ ranges });

    const pages = [0, 1, 2, 3].map((page) => read(next.fd, page * 4 * KIB, 4 * KIB));
    expect(pages).toEqual(["x", "\0", "x", "\0"].map((byte) => byte.repeat(4 * KIB)));
  });

  it.each([
    ["misaligned", { ranges: [{ offset: 100, length: 4096 }] }, "not aligned"],
    ["of an odd length", { ranges: [{ offset: 0, length: 4097 }] }, "not aligned"],
    ["empty", { ranges: [{ offset: 0, length: 0 }] }, "is empty"],
    ["past the end", { ranges: [{ offset: 16 << 20, length: 4096 }] }, "past the end of region 2"],
    ["of an overflowing length", { ranges: [{ offset: 4096, length: 2 ** 64 - 4096 }] }, "past the end of region 2"],
    ["without ranges", { ranges: [] }, "1 to 16 ranges"],
    [
      "with 17 ranges",
      { ranges: Array.from({ length: 17 }, (_, i) => ({ offset: i * 4096, length: 4096 })) },
      "not 17",
    ],
    ["of overlapping ranges", { ranges: [0, 0].map((offset) => ({ offset, length: 4096 })) }, "overlap"],
    ["of an unknown region", { region: 1 }, "no region 1"],
  ])("%s is refused with words, and leaves nothing behind", async (_, request, words) => {
    await using warden = new Warden(build);
    await warden.ready();
    const open = warden.openFds();

    const refused = await warden.export(request);

    expect(refused).toMatchObject({ fd: -1, error: 22 });
    expect(refused.words).toContain(words);
    expect(warden.openFds()).toBe(open);
  });

  it("under an id that was used before is refused", async () => {
    await using warden = new Warden(build);
    const { id } = await warden.export();

    expect(await warden.export({ id })).toMatchObject({ fd: -1, error: 22 });
  });

  it.each([
    ["writable", false, 0],
    ["read-only", true, 0],
    ["read-only, its second descriptor", true, 1],
  ])("that finds no descriptor free is refused, and works once there is one (%s)", async (_, readOnly, free) => {
    await using warden = new Warden(build);
    await warden.ready();
    const open = warden.openFds();
    execFileSync("prlimit", ["--pid", `${warden.pid}`, `--nofile=${open + free}:`]);

    const refused = await warden.export({ readOnly });
    const openAfter = warden.openFds();
    execFileSync("prlimit", ["--pid", `${warden.pid}`, `--nofile=${open + 10}:`]);

    expect(refused).toMatchObject({ fd: -1, error: 24 });
    expect(refused.words).toContain("EMFILE");
    expect(openAfter).toBe(open);
    expect((await warden.export({ readOnly })).error).toBe(0);
  });

  it("leaves no descriptor behind after its revoke, a thousand times", async () => {
    await using warden = new Warden(build);
    await warden.ready();
    const open = warden.openFds();

    for (let i = 0; i < 500; i++) {
      const lent = [await warden.export(), await warden.export({ readOnly: true })];
      await warden.revoke(...lent.map(({ id }) => id));
    }
    await warden.revoke(99_999); // what is dropped after an answer is gone before the next one

    expect(warden.openFds()).toBe(open);
  });
});

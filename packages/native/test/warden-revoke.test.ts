import { closeSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { tryLock } from "../src/addon.ts";
import { until } from "./until.ts";
import { builds } from "./warden-builds.ts";
import { Holder } from "./warden-holder.ts";
import { PLAIN, Warden } from "./warden-process.ts";

const done = { method: "ftruncate", error: 0, safe: true, probe: 0 };

describe.each(builds)("a revoke ($name)", (build) => {
  it.each([false, true])("takes the memory from a process that mapped it (read-only: %s)", async (readOnly) => {
    await using warden = new Warden(build);
    const { fd, id } = await warden.export({ readOnly });
    await using holder = new Holder(fd);
    await holder.do(readOnly ? "map-readable" : "map-writable");
    const before = await holder.do("load 5");

    const [entry] = await warden.revoke(id);

    expect(before).toBe("0");
    expect(entry).toMatchObject({ id, ...done });
    expect(entry!.durationUs).toBeGreaterThan(0);
    expect(await holder.do("load 5")).toBe("EFAULT");
    expect(fstatSync(fd).size).toBe(0);
  });

  it("takes it from that process's child, which has the mapping alone", async () => {
    await using warden = new Warden(build);
    const { fd, id } = await warden.export();
    await using holder = new Holder(fd);
    await holder.do("map-writable");
    await holder.do("fork");
    expect(await holder.do("store 7 42")).toBe("ok");
    expect(await holder.do("load 7")).toBe("42");

    await warden.revoke(id);

    expect(await holder.do("load 7")).toBe("EFAULT");
    expect(await holder.do("pwrite")).toBe("EBADF");
  });

  it("cannot be undone: the export does not grow again", async () => {
    await using warden = new Warden(build);
    const { fd, id } = await warden.export();
    await using holder = new Holder(fd);
    await warden.revoke(id);

    expect(await holder.doAll("truncate 4096", "allocate", "pwrite")).toEqual({
      "truncate 4096": "EPERM",
      allocate: "EPERM",
      pwrite: "EPERM",
    });
  });

  it("that is repeated answers its proof again", async () => {
    await using warden = new Warden(build);
    const { id } = await warden.export();

    const both = await warden.revoke(id, id);
    const [later] = await warden.revoke(id);

    expect(both).toMatchObject([
      { id, ...done },
      { id, ...done },
    ]);
    expect(later).toMatchObject({ id, ...done, method: "ended-before" });
  });

  it("of what was never exported says so", async () => {
    await using warden = new Warden(build);

    expect(await warden.revoke(12_345)).toMatchObject([
      { id: 12_345, method: "never-exported", error: 0, safe: true, probe: 0, durationUs: 0 },
    ]);
  });

  it("of thousands is answered for each, and the exports are cut when it is", async () => {
    await using warden = new Warden(build);
    const lent = [];
    for (let i = 0; i < 500; i++) lent.push(await warden.export());
    const ids = [...lent.map(({ id }) => id), ...Array.from({ length: 3500 }, (_, i) => 100_000 + i)];

    const [entries, more] = await Promise.all([warden.revoke(...ids), warden.revoke(...ids)]);

    for (const answers of [entries, more]) {
      expect(answers.map(({ id }) => id).sort((a, b) => a - b)).toEqual(ids);
      expect(answers.every(({ safe }) => safe)).toBe(true);
    }
    expect(lent.map(({ fd }) => fstatSync(fd).size).every((size) => size === 0)).toBe(true);
  });

  it("waits for an agent that reads late, and loses nothing", async () => {
    await using warden = new Warden(build);
    await warden.ready();
    const ids = Array.from({ length: 4000 }, (_, i) => i + 1);

    const revokes = Array.from({ length: 40 }, () => warden.revoke(...ids)); // far more than the socket holds
    const answers = await Promise.all(revokes);

    expect(answers.every((entries) => entries.length === ids.length)).toBe(true);
  });

  it.for([
    ["a ring", 0],
    ["plain memory", 8 << 20],
  ] as const)("of %s that a holder blocks delays nothing else, and is waited for", async ([, offset], { skip }) => {
    await using warden = new Warden(build);
    const stuck = await warden.export({ ranges: [{ offset, length: 1 << 20 }] });
    const [others, registers] = [
      [await warden.export(), await warden.export({ ranges: [{ offset: PLAIN + 4096, length: 4096 }] })],
      await warden.export({ region: 0, readOnly: true, ranges: [{ offset: 0, length: 4096 }] }),
    ];
    await using holder = new Holder(stuck.fd);
    const answer = await holder.do("stall");
    if (answer !== "ok")
      skip(`userfaultfd answers ${answer}: run the tests as root, or set vm.unprivileged_userfaultfd=1`);
    let unblocked = false;

    const blocked = warden.revoke(stuck.id).then((entries) => {
      unblocked = true;
      return entries;
    });
    const entries = await warden.revoke(...others.map(({ id }) => id));
    const later = await warden.export();
    const samples = samplesIn(registers.fd);
    await until(() => samplesIn(registers.fd) !== samples);

    expect(entries.every(({ safe }) => safe)).toBe(true);
    expect(later.error).toBe(0);
    expect(unblocked).toBe(false);
    expect(fstatSync(stuck.fd).size).toBe(1 << 20);

    warden.socket.close();
    blocked.catch(() => {});
    await until(() => fstatSync(later.fd).size === 0);
    expect(isLocked(warden.lastWordPath)).toBe(true);
    expect(readFileSync(warden.lastWordPath, "utf8").trim()).toBe("");

    await holder.do("unstall");
    await warden.ended;
    expect(fstatSync(stuck.fd).size).toBe(0);
    expect(JSON.parse(readFileSync(warden.lastWordPath, "utf8"))).toMatchObject({ complete: true, unrevoked: [] });
    expect(isLocked(warden.lastWordPath)).toBe(false);
  });

  it("is proven although its holder cuts and writes its memory meanwhile", async () => {
    await using warden = new Warden(build);
    const rings = await warden.export({ ranges: [{ offset: 0, length: 4 << 20 }] });
    const registers = await warden.export({ region: 0, ranges: [{ offset: 0, length: 4096 }] });
    await using holder = new Holder(rings.fd);

    for (let size = 4 << 20; size > 0; size -= 64 << 10) {
      await holder.do(`truncate ${size - 4096}`);
      await holder.do("punch");
      writeSync(rings.fd, "x", 0);
    }
    await new Holder(registers.fd).do("truncate 0");

    const entries = await warden.revoke(rings.id, registers.id);
    expect(entries).toMatchObject([done, done]);
    expect((await warden.export()).error).toBe(0);
  });
});

function samplesIn(registers: number): number {
  const bytes = Buffer.alloc(4);
  const again = openSync(`/proc/self/fd/${registers}`, "r");
  bytes.set(readFileSync(again).subarray(0x10, 0x14));
  closeSync(again);
  return bytes.readUInt32LE(0);
}

function isLocked(path: string): boolean {
  const fd = openSync(path, "r");
  try {
    return !tryLock(fd);
  } finally {
    closeSync(fd);
  }
}

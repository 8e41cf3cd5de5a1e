import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createMemfd, Mapping } from "../src/addon.ts";
import { addonPath } from "../src/build.ts";
import { compiled } from "./compiled.ts";
import { nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";
import { refusal } from "./refusal.ts";

const SIZE = 8192;
const widths = [8, 16, 32] as const;
const library = compiled("fault.cc", "-shared", "-fPIC");
const common = fileURLToPath(new URL("../src/common/", import.meta.url));
const beside = compiled("guard-beside.cc", `-I${common}`, `${common}guard.cc`, "-pthread");

let memfd = -1;
let mapping: Mapping;
beforeEach(() => {
  memfd = createMemfd("memory", SIZE);
  mapping = new Mapping(memfd, { length: SIZE, writable: true });
});
afterEach(() => {
  mapping.close();
  closeSync(memfd);
});

describe("loads and stores", () => {
  it("are little-endian words of the width that was asked for", () => {
    mapping.store(0, 64, 0x0102_0304_0506_0708n);

    expect(mapping.load(0, 64)).toBe(0x0102_0304_0506_0708n);
    expect(mapping.load(0, 32)).toBe(0x0506_0708);
    expect(mapping.load(4, 32)).toBe(0x0102_0304);
    expect(mapping.load(2, 16)).toBe(0x0506);
    expect(mapping.load(7, 8)).toBe(1);
  });

  it("reach the file and nothing beside the word", () => {
    mapping.store(8, 8, 0xff);
    mapping.store(16, 16, 0xffff);
    mapping.store(32, 32, 0xffff_ffff);
    mapping.store(64, 64, 2n ** 64n - 1n);

    const expected = Buffer.alloc(80).fill(255, 8, 9).fill(255, 16, 18).fill(255, 32, 36).fill(255, 64, 72);
    const bytes = Buffer.alloc(80);
    readSync(memfd, bytes, 0, 80, 0);
    expect(bytes.equals(expected)).toBe(true);
  });

  it("take every value of their width, and give it back", () => {
    for (const width of widths)
      for (const value of [0, 1, 2 ** (width - 1), 2 ** width - 1]) {
        mapping.store(8, width, value);
        expect(mapping.load(8, width)).toBe(value);
      }
    for (const value of [0n, 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      mapping.store(8, 64, value);
      expect(mapping.load(8, 64)).toBe(value);
    }
  });

  it("refuse other values", () => {
    const store = mapping.store.bind(mapping) as (...args: unknown[]) => void;

    for (const width of widths)
      for (const value of [-1, 2 ** width, 0.5, Number.NaN, Number.POSITIVE_INFINITY])
        expect(() => store(0, width, value)).toThrow(RangeError);
    for (const value of [-1n, 2n ** 64n]) expect(() => store(0, 64, value)).toThrow(RangeError);
    for (const [width, value] of [
      [8, 1n],
      [32, "1"],
      [64, 1],
      [16, undefined],
    ])
      expect(() => store(0, width, value)).toThrow(TypeError);
    expect(mapping.load(0, 64)).toBe(0n);
  });

  it("refuse what is not aligned or not inside", () => {
    const load = mapping.load.bind(mapping) as (...args: unknown[]) => unknown;

    for (const width of [8, 16, 32, 64]) {
      const bytes = width / 8;
      expect(load(SIZE - bytes, width)).toBeDefined();
      for (const offset of [SIZE, SIZE + bytes, 2 ** 53 - bytes, -bytes, 0.5, Number.NaN])
        expect(() => load(offset, width)).toThrow(RangeError);
      if (width > 8) expect(() => load(bytes / 2, width)).toThrow(RangeError);
      if (width > 8) expect(() => load(SIZE - bytes / 2, width)).toThrow(RangeError);
    }
    for (const width of [0, 1, 24, 128, -8, Number.NaN]) expect(() => load(0, width)).toThrow(RangeError);
    for (const args of [[], ["0", 8], [0, "8"], [0n, 8], [0]]) expect(() => load(...args)).toThrow(TypeError);
  });
});

describe("bulk copies", () => {
  it("go both ways, with views into larger buffers, shared or not", () => {
    const from = Buffer.from("..hello..").subarray(2, 7);
    const shared = new Uint8Array(new SharedArrayBuffer(16), 3, 5);

    mapping.write(100, from);
    mapping.read(100, shared);
    mapping.write(200, shared);
    const into = new Uint8Array(7);
    mapping.read(199, into);

    expect(Buffer.from(shared).toString()).toBe("hello");
    expect([...into]).toEqual([0, ...Buffer.from("hello"), 0]);
    expect(new Uint8Array(shared.buffer).filter((byte) => byte !== 0)).toHaveLength(5);
  });

  it("may be empty or all of the mapping, and not reach beyond", () => {
    const all = new Uint8Array(SIZE).fill(7);
    mapping.write(0, all);
    mapping.write(SIZE, new Uint8Array(0));
    const back = new Uint8Array(SIZE);
    mapping.read(0, back);

    expect(back).toEqual(all);
    expect(() => mapping.read(1, back)).toThrow(RangeError);
    expect(() => mapping.write(SIZE + 1, new Uint8Array(0))).toThrow(RangeError);
    expect(() => mapping.write(0, new Uint8Array(SIZE + 1))).toThrow(RangeError);
  });

  it("take Uint8Arrays only", () => {
    const read = mapping.read.bind(mapping) as (...args: unknown[]) => void;

    for (const into of [undefined, [1], "x", new Uint16Array(1), new DataView(new ArrayBuffer(1)), new ArrayBuffer(1)])
      expect(() => read(0, into)).toThrow(TypeError);
  });

  it("of a detached array copy nothing", () => {
    const detached = new Uint8Array(8);
    structuredClone(detached.buffer, { transfer: [detached.buffer] });

    mapping.read(0, detached);

    expect(detached.byteLength).toBe(0);
  });
});

describe("a mapping that is not writable", () => {
  it("throws EACCES where it is stored to, and can be read", () => {
    mapping.store(0, 8, 5);
    const readOnly = new Mapping(memfd, { length: SIZE, writable: false });

    expect(refusal(() => readOnly.store(0, 8, 1))).toMatchObject({ code: "EACCES", syscall: "store", errno: 13 });
    expect(refusal(() => readOnly.write(0, Uint8Array.of(1)))).toMatchObject({ code: "EACCES", syscall: "write" });
    expect(readOnly.load(0, 8)).toBe(5);
    readOnly.close();
  });

  it("can be made of an fd that is open for reading only, a writable one cannot", () => {
    const fd = openSync(`/proc/self/fd/${memfd}`, "r");

    new Mapping(fd, { length: SIZE, writable: false }).close();
    expect(refusal(() => new Mapping(fd, { length: SIZE, writable: true }))).toMatchObject({
      code: "EACCES",
      syscall: "mmap",
      message: "mmap: EACCES, Permission denied",
    });
    closeSync(fd);
  });
});

describe("making one", () => {
  it("maps from a page on, and says what the kernel answered otherwise", () => {
    writeSync(memfd, "second page", 4096);
    const second = new Mapping(memfd, { offset: 4096, length: 4096, writable: false });
    const into = new Uint8Array(11);
    second.read(0, into);

    expect(Buffer.from(into).toString()).toBe("second page");
    expect(second.size).toBe(4096);
    second.close();
    const make = (fd: number, offset: number) => new Mapping(fd, { offset, length: 4096, writable: false });
    expect(refusal(() => make(memfd, 1))).toMatchObject({ code: "EINVAL", syscall: "mmap" });
    expect(refusal(() => make(999_999, 0))).toMatchObject({ code: "EBADF", syscall: "mmap" });
  });

  it("refuses wrong arguments", () => {
    const make = Mapping as unknown as new (...args: unknown[]) => Mapping;

    for (const args of [
      [],
      ["1", { length: 1, writable: true }],
      [memfd],
      [memfd, {}],
      [memfd, { length: "1", writable: true }],
      [memfd, { length: 1 }],
      [memfd, { length: 1, writable: 1 }],
    ])
      expect(() => new make(...args), JSON.stringify(args)).toThrow(TypeError);
    for (const length of [0, -1, 1.5, Number.NaN, 2 ** 60])
      expect(() => new make(memfd, { length, writable: true })).toThrow(RangeError);
    expect(() => new make(-1, { length: 1, writable: true })).toThrow(RangeError);
    expect(() => (Mapping as unknown as () => void)()).toThrow(TypeError);
    expect(() => mapping.load.call({} as Mapping, 0, 64)).toThrow(TypeError);
  });

  it("leaves the fd to the caller, also thousands of times", () => {
    const before = openFds();
    for (let i = 0; i < 5000; i++) {
      new Mapping(memfd, { length: SIZE, writable: true }).close();
      refusal(() => new Mapping(memfd, { offset: 1, length: SIZE, writable: true }));
    }

    expect(openFds()).toBe(before);
  });
});

describe("after close", () => {
  it("nothing of it is mapped", () => {
    const mapped = () => readFileSync("/proc/self/maps", "utf8").split("/memfd:memory").length - 1;
    expect(mapped()).toBe(1);

    mapping.close();

    expect(mapped()).toBe(0);
  });

  it("everything throws EBADF, and close does nothing", () => {
    mapping.close();
    mapping.close();

    expect(refusal(() => mapping.load(0, 8))).toMatchObject({ code: "EBADF", syscall: "load" });
    expect(refusal(() => mapping.store(0, 8, 1))).toMatchObject({ code: "EBADF", syscall: "store" });
    expect(refusal(() => mapping.read(0, new Uint8Array(1)))).toMatchObject({ code: "EBADF", syscall: "read" });
    expect(refusal(() => mapping.write(0, new Uint8Array(1)))).toMatchObject({ code: "EBADF", syscall: "write" });
  });
});

/** Every access there is, with what it throws where the memory is gone. */
const accesses: [string, (mapping: Mapping) => unknown][] = [
  ["load", (mapping) => mapping.load(0, 8)],
  ["load", (mapping) => mapping.load(4096, 16)],
  ["load", (mapping) => mapping.load(4, 32)],
  ["load", (mapping) => mapping.load(SIZE - 8, 64)],
  ["store", (mapping) => mapping.store(0, 8, 1)],
  ["store", (mapping) => mapping.store(2, 16, 1)],
  ["store", (mapping) => mapping.store(4096, 32, 1)],
  ["store", (mapping) => mapping.store(8, 64, 1n)],
  ["read", (mapping) => mapping.read(0, new Uint8Array(SIZE))],
  ["write", (mapping) => mapping.write(4090, new Uint8Array(100))],
];

describe("memory that was taken away", () => {
  it("throws EFAULT at each kind of access", () => {
    ftruncateSync(memfd, 0);

    for (const [syscall, access] of accesses)
      expect(
        refusal(() => access(mapping)),
        access.toString(),
      ).toMatchObject({
        code: "EFAULT",
        errno: 14,
        syscall,
        message: `${syscall}: EFAULT, Bad address`,
      });
  });

  it("in part leaves the rest, and comes back with the file's size", () => {
    mapping.store(0, 8, 3);
    ftruncateSync(memfd, 4096);

    expect(mapping.load(0, 8)).toBe(3);
    expect(refusal(() => mapping.load(4096, 8))).toMatchObject({ code: "EFAULT" });
    expect(refusal(() => mapping.read(4000, new Uint8Array(200)))).toMatchObject({ code: "EFAULT" });
    ftruncateSync(memfd, SIZE);
    expect(mapping.load(4096, 8)).toBe(0);
  });

  it("can be touched a hundred thousand times", () => {
    ftruncateSync(memfd, 0);
    let faults = 0;

    for (let i = 0; i < 100_000; i++) if (refusal(() => accesses[i % accesses.length]![1](mapping))) faults += 1;

    expect(faults).toBe(100_000);
  });

  it("throws EFAULT in worker threads, too, several at once", async () => {
    const script = `
      const { parentPort, workerData } = require("node:worker_threads");
      const { Mapping } = require(workerData.addon);
      const mapping = new Mapping(workerData.memfd, { length: 8192, writable: true });
      let faults = 0;
      for (let i = 0; i < 20_000; i++) try { mapping.load(i % 2 * 4096, 32) } catch (error) { if (error.code === "EFAULT") faults += 1; }
      parentPort.postMessage(faults);
    `;
    ftruncateSync(memfd, 0);
    const faultsIn = () =>
      new Promise((resolve, reject) => {
        const worker = new Worker(script, { eval: true, workerData: { addon: addonPath(), memfd } });
        worker.once("message", resolve);
        worker.once("error", reject);
      });

    const counted = Promise.all([faultsIn(), faultsIn(), faultsIn()]);
    for (let i = 0; i < 20_000; i++) expect(refusal(() => mapping.load(0, 32))).toBeDefined();

    expect(await counted).toEqual([20_000, 20_000, 20_000]);
  });

  it("can be taken away by another process while it is being read", async () => {
    const child = nodeChild(
      `
      const fd = fs.openSync(process.env.LENT, "r+");
      process.stdin.on("data", () => { fs.ftruncateSync(fd, 0); say("cut"); });
      say("ready");
      `,
      { env: { LENT: `/proc/${process.pid}/fd/${memfd}` } },
    );
    await child.line();
    const into = new Uint8Array(SIZE);
    child.process.stdin!.write("cut\n");

    let error: unknown;
    for (let deadline = Date.now() + 10_000; !error && Date.now() < deadline; )
      error = refusal(() => mapping.read(0, into));

    expect(error).toMatchObject({ code: "EFAULT", syscall: "read" });
    await child.finish();
  });
});

describe("a SIGBUS that is none of ours", () => {
  it("is survived by whoever was there before, as often as it comes", () => {
    expect(spawnSync(beside, ["jumps"], { encoding: "utf8" })).toMatchObject({ stdout: "3\n", status: 0 });
  });

  it("ends the process where two handlers pass it to each other", () => {
    expect(spawnSync(beside, ["circle"])).toMatchObject({ signal: "SIGBUS" });
  });

  const faulted = `
    const memfd = addon.createMemfd("memory", 4096);
    const mapping = new addon.Mapping(memfd, { length: 4096, writable: true });
    fs.ftruncateSync(memfd, 0);
    try { mapping.load(0, 8); } catch (error) { say(error.code); }
  `;
  const env = { LENDBUF_FAULT: library };
  const fault = `process.dlopen({ exports: {} }, process.env.LENDBUF_FAULT);`;

  it("ends the process as it would have without us", async () => {
    const child = nodeChild(`${faulted} ${fault}`, { env });

    expect(await child.line()).toBe("EFAULT");
    expect(await child.ended).toEqual({ code: null, signal: "SIGBUS" });
  });

  it("ends the process also where it was sent by kill", async () => {
    const child = nodeChild(`${faulted} process.kill(process.pid, "SIGBUS"); setInterval(() => {}, 1000);`);

    expect(await child.line()).toBe("EFAULT");
    expect(await child.ended).toEqual({ code: null, signal: "SIGBUS" });
  });

  it("ends the process after a worker that alone had loaded the addon is gone", async () => {
    const child = nodeChild(
      `
      const { Worker } = require("node:worker_threads");
      const worker = new Worker(${JSON.stringify(`const addon = require(process.env.LENDBUF_ADDON);
        const fs = require("node:fs"); const say = (word) => fs.writeSync(1, word + "\\n"); ${faulted}`)}, { eval: true });
      worker.on("exit", () => { ${fault} });
      `,
      { env, bare: true },
    );

    expect(await child.line()).toBe("EFAULT");
    expect(await child.ended).toEqual({ code: null, signal: "SIGBUS" });
  });

  it("sent by kill reaches a JavaScript listener that was there before", async () => {
    const child = nodeChild(`
      process.on("SIGBUS", () => { say("heard"); process.exit(3); });
      ${faulted}
      process.kill(process.pid, "SIGBUS");
      setInterval(() => {}, 1000);
    `);

    expect(await child.line()).toBe("EFAULT");
    expect(await child.line()).toBe("heard");
    expect(await child.ended).toEqual({ code: 3, signal: null });
  });

  it("is guarded against again by the next mapping after a JavaScript listener took its place", async () => {
    const child = nodeChild(`
      ${faulted}
      process.on("SIGBUS", () => {});
      new addon.Mapping(addon.createMemfd("another", 4096), { length: 4096, writable: true });
      try { mapping.load(0, 8); } catch (error) { say(error.code, "again"); }
    `);

    expect(await child.line()).toBe("EFAULT");
    expect(await child.line()).toBe("EFAULT again");
    await child.finish();
  });
});

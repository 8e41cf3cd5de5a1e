// Walks through the addon, errors first, in a process of its own whose addon is built under the sanitizers. Needs --expose-gc.
import assert from "node:assert/strict";
import { closeSync, ftruncateSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import test from "node:test";
import { Worker } from "node:worker_threads";

const addonPath = process.env.LENDBUF_ADDON;
const addon = createRequire(import.meta.url)(addonPath);
const memfd = addon.createMemfd("memory", 8192);

/** Starts a socket; resolves at its end with all that it received. */
function drain(socket, acceptFds, each = () => {}) {
  return new Promise((resolve) => {
    const packets = [];
    socket.start({
      encoding: "utf8",
      acceptFds,
      onPacket(data, fds) {
        packets.push(data);
        for (const fd of fds) closeSync(fd);
        each(data);
      },
      onClose: (error) => resolve({ packets, error }),
      onDrain() {},
    });
  });
}

function pair() {
  const { socket, fd } = addon.packetSocketPair();
  return [socket, addon.adoptPacketSocket(fd)];
}

test("packets of every length around the limit, with fds, queued and not", async () => {
  const [left, right] = pair();
  const lengths = [1, 2, 21_845, 65_535, 65_536];
  for (let round = 0; round < 20; round++)
    for (const length of lengths) {
      left.send("x".repeat(length), round % 2 ? [memfd, memfd] : []);
      left.send(new Uint8Array(length));
    }
  for (const text of ["x".repeat(65_537), "€".repeat(21_846), "😀".repeat(20_000), "é\ud800".repeat(40_000)])
    assert.throws(() => left.send(text), { code: "EMSGSIZE" });
  assert.throws(() => left.send("x", [999_999]), { code: "EBADF" });
  assert.throws(() => left.send("x", new Array(17).fill(memfd)), RangeError);
  const heard = drain(right, true, () => left.queued === 0 && setImmediate(() => left.close()));

  const { packets, error } = await heard;

  assert.equal(error, undefined);
  assert.equal(packets.length, 20 * lengths.length * 2);
});

test("ends: a violation, a dead peer, a close from within a callback", async () => {
  for (let i = 0; i < 50; i++) {
    const [left, right] = pair();
    left.send("one");
    left.send("two", [memfd]);
    right.send("left behind");
    const { packets, error } = await drain(right, false);
    assert.deepEqual([packets, error.code], [["one"], "EPROTO"]);
    const { packets: rest } = await drain(left, false);
    assert.deepEqual(rest, ["left behind"]);
  }
  const [left, right] = pair();
  for (let i = 0; i < 100; i++) left.send("x");
  await new Promise((resolve) => {
    drain(right, false, () => {
      right.close();
      left.close();
      globalThis.gc();
      resolve();
    });
  });
});

test("servers: connections, stale paths, refusals", async () => {
  const folder = mkdtempSync(join(tmpdir(), "lendbuf-test-"));
  const path = join(folder, "socket");
  const arrived = [];
  const options = { path, mode: 0o660, onConnection: (socket) => arrived.push(socket), onError: assert.fail };
  for (let i = 0; i < 20; i++) {
    const server = new addon.PacketServer(options);
    assert.throws(() => new addon.PacketServer(options), { code: "EADDRINUSE" });
    const clients = Array.from({ length: 10 }, () => addon.connectPacketSocket(path));
    while (arrived.length < 10) await new Promise(setImmediate);
    closeSync(arrived[0].peerPidfd());
    const ends = arrived.splice(0).map((socket) => drain(socket, false));
    for (const client of clients) client.close();
    await Promise.all(ends);
    server.close();
  }
  assert.throws(() => addon.connectPacketSocket(path), { code: "ENOENT" });
  assert.throws(() => addon.connectPacketSocket(path.padEnd(108, "x")), { code: "ENAMETOOLONG" });
  for (const bad of [undefined, {}, { ...options, path: 1 }, { ...options, onError: 1 }])
    assert.throws(() => new addon.PacketServer(bad), TypeError);
  assert.deepEqual(readdirSync(folder), []);
  rmSync(folder, { recursive: true });
});

test("mappings: all widths, bulk copies, bounds, and 5,000 faults", () => {
  const mapping = new addon.Mapping(memfd, { length: 8192, writable: true });
  for (const width of [8, 16, 32]) {
    mapping.store(8192 - width / 8, width, 2 ** width - 1);
    assert.equal(mapping.load(8192 - width / 8, width), 2 ** width - 1);
    assert.throws(() => mapping.load(8192, width), RangeError);
  }
  mapping.store(0, 64, 2n ** 64n - 1n);
  mapping.write(1, new Uint8Array(8191));
  mapping.read(8192, new Uint8Array(0));
  assert.throws(() => mapping.read(1, new Uint8Array(8192)), RangeError);
  assert.throws(() => new addon.Mapping(memfd, { offset: 1, length: 1, writable: true }), { code: "EINVAL" });
  ftruncateSync(memfd, 0);
  const bytes = new Uint8Array(100);
  for (let i = 0; i < 1000; i++) {
    assert.throws(() => mapping.load(8 * i, 64), { code: "EFAULT" });
    assert.throws(() => mapping.load(i, 8), { code: "EFAULT" });
    assert.throws(() => mapping.store(4 * i, 32, 1), { code: "EFAULT" });
    assert.throws(() => mapping.read(i, bytes), { code: "EFAULT" });
    assert.throws(() => mapping.write(i, bytes), { code: "EFAULT" });
  }
  mapping.close();
  assert.throws(() => mapping.load(0, 8), { code: "EBADF" });
  ftruncateSync(memfd, 8192);
});

test("timers: extreme deadlines, and a hundred rounds", async () => {
  let fired = 0;
  await new Promise((resolve) => {
    const timer = new addon.BootTimer(() => {
      fired += 1;
      if (fired < 100) timer.set(addon.bootTimeMs() - fired);
      else resolve(timer.close());
    });
    for (const deadline of [Number.MAX_VALUE, -Number.MAX_VALUE, 9e15, undefined, 0.1]) timer.set(deadline);
    assert.throws(() => timer.set(Number.NaN), RangeError);
  });
  assert.equal(fired, 100);
});

test("what is forgotten is collected, what is not constructed is thrown", async () => {
  for (let i = 0; i < 200; i++) {
    closeSync(addon.packetSocketPair().fd);
    new addon.Mapping(memfd, { length: 4096, writable: false }).load(0, 8);
    assert.throws(() => addon.adoptPacketSocket(memfd), { code: "ENOTSOCK" });
    assert.throws(() => new addon.Mapping(memfd, { length: 0 }), RangeError);
    assert.throws(() => addon.tryLock(999_999), { code: "EBADF" });
  }
  globalThis.gc();
  await new Promise(setImmediate);
  assert.equal(addon.tryLock(memfd), true);
  assert.ok(addon.raiseFileLimit(1) > 0);
});

test("workers that are terminated under traffic", async () => {
  const script = `
    const { parentPort, workerData } = require("node:worker_threads");
    const addon = require(workerData);
    const { socket, fd } = addon.packetSocketPair();
    const other = addon.adoptPacketSocket(fd);
    let count = 0;
    const echo = (socket) => socket.start({
      encoding: "utf8", acceptFds: false, onClose() {},
      onPacket(data) { socket.send(data); if (++count === 100) parentPort.postMessage("busy"); },
    });
    echo(socket);
    echo(other);
    socket.send("x");
    const timer = new addon.BootTimer(() => timer.set(0));
    timer.set(0);
    const mapping = new addon.Mapping(addon.createMemfd("m", 4096), { length: 4096, writable: true });
    mapping.store(0, 32, 1);
  `;
  for (let i = 0; i < 10; i++) {
    const worker = new Worker(script, { eval: true, workerData: addonPath });
    await new Promise((resolve) => worker.once("message", resolve));
    await worker.terminate();
  }
});

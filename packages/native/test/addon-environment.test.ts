import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { addonPath } from "../src/build.ts";
import { directory } from "./connection.ts";
import { nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";

/**
 * Everything that the addon can have open on a loop, under traffic; calls `ready` when it runs. The fds stay with the kernel and
 * in queues: one that was handed to JavaScript is lost where JavaScript is ended before it closes it.
 */
const busy = `
  const server = new addon.PacketServer({
    path: folder + "/" + Math.random(),
    mode: 0o600,
    onConnection: (socket) => echo(socket),
    onError() {},
  });
  const echo = (socket) => socket.start({
    encoding: "utf8",
    acceptFds: false,
    onPacket: (data) => { socket.send(data); if (++count === 500) ready(); },
    onClose() {},
  });
  let count = 0;
  const unread = [];
  for (let i = 0; i < 10; i++) {
    const { socket, fd } = addon.packetSocketPair();
    echo(socket);
    echo(addon.adoptPacketSocket(fd));
    for (let n = 0; n < 5; n++) socket.send("x".repeat(1000));
    const quiet = addon.packetSocketPair();
    unread.push(addon.adoptPacketSocket(quiet.fd));
    while (quiet.socket.send("x".repeat(60_000), [0]) === 0);
  }
  const timer = new addon.BootTimer(() => timer.set(0));
  timer.set(0);
`;

const inWorker = `
  const { parentPort, workerData: { addonPath, folder } } = require("node:worker_threads");
  const addon = require(addonPath);
  const ready = () => parentPort.postMessage("ready");
  ${busy}
`;

function startWorker(folder: string): Promise<Worker> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(inWorker, {
      eval: true,
      trackUnmanagedFds: false,
      workerData: { addonPath: addonPath(), folder },
    });
    worker.once("message", () => resolve(worker));
    worker.once("error", reject);
  });
}

describe("a callback that throws", () => {
  it("becomes an uncaughtException, and the packets after it still come", async () => {
    const child = nodeChild(`
      process.on("uncaughtException", (error) => say("uncaught", error.message));
      const { socket, fd } = addon.packetSocketPair();
      const other = addon.adoptPacketSocket(fd);
      other.start({
        encoding: "utf8",
        acceptFds: false,
        onPacket(data) { if (data === "bad") throw new Error("a bug"); say("got", data); },
        onClose() { throw new Error("another"); },
      });
      for (const data of ["one", "bad", "two"]) socket.send(data);
      setImmediate(() => setImmediate(() => socket.close()));
    `);

    const lines = [];
    for (let i = 0; i < 4; i++) lines.push(await child.line());

    expect(lines).toEqual(["got one", "uncaught a bug", "got two", "uncaught another"]);
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });

  it("ends the process where nobody listens for that", async () => {
    const child = nodeChild(`
      const timer = new addon.BootTimer(() => { throw new Error("a bug"); });
      timer.set(0);
    `);

    expect(await child.ended).toEqual({ code: 1, signal: null });
    expect(child.errors).toContain("Error: a bug");
  });

  it("ends a worker with an error event, and the main thread goes on", async () => {
    const worker = new Worker(
      `const addon = require(require("node:worker_threads").workerData);
       new addon.BootTimer(() => { throw new Error("a bug"); }).set(0);`,
      { eval: true, workerData: addonPath() },
    );

    const error = await new Promise<Error>((resolve) => worker.once("error", resolve));

    expect(error.message).toBe("a bug");
  });
});

describe("the end of an environment", () => {
  it("by worker.terminate() under traffic closes everything, twenty times", async () => {
    using folder = directory();
    await (await startWorker(folder.path)).terminate();
    const before = openFds();

    for (let i = 0; i < 20; i++) await (await startWorker(folder.path)).terminate();

    expect(openFds()).toBe(before);
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it("of several workers at once harms none that goes on", async () => {
    using folder = directory();
    const workers = await Promise.all([1, 2, 3, 4].map(() => startWorker(folder.path)));

    await Promise.all(workers.map((worker) => worker.terminate()));
    const last = await startWorker(folder.path);

    expect(await last.terminate()).toBe(1);
  });

  it("by process.exit() with everything open, in workers as well, is clean", async () => {
    using folder = directory();
    const child = nodeChild(
      `
      const { Worker } = require("node:worker_threads");
      const folder = process.env.FOLDER;
      let workers = 0;
      const ready = () => {
        for (let i = 0; i < 2; i++)
          new Worker(${JSON.stringify(inWorker)}, { eval: true, trackUnmanagedFds: false, workerData: { addonPath: process.env.LENDBUF_ADDON, folder } })
            .once("message", () => { if (++workers === 2) process.exit(7); });
      };
      ${busy}
      `,
      { env: { FOLDER: folder.path } },
    );

    expect(await child.ended).toEqual({ code: 7, signal: null });
    expect(child.errors).toBe("");
  });

  it("by process.exit() within a worker's callback is clean", async () => {
    using folder = directory();
    const worker = new Worker(inWorker.replace('parentPort.postMessage("ready")', "process.exit(5)"), {
      eval: true,
      trackUnmanagedFds: false,
      workerData: { addonPath: addonPath(), folder: folder.path },
    });

    expect(await new Promise((resolve) => worker.once("exit", resolve))).toBe(5);
  });
});

describe("the process", () => {
  it("lives while a started socket is open, and ends once it is closed or not referenced", async () => {
    const script = (more: string) => `
      const { socket, fd } = addon.packetSocketPair();
      socket.start({ encoding: "utf8", acceptFds: false, onPacket() {}, onClose() { say("closed"); } });
      ${more}
    `;
    const closed = nodeChild(script("setTimeout(() => socket.close(), 20);"));
    const unreferenced = nodeChild(script("socket.unref();"));
    const referenced = nodeChild(
      script("socket.unref(); socket.ref(); process.stdin.on('end', () => fs.closeSync(fd)).resume().unref();"),
    );

    expect(await closed.ended).toEqual({ code: 0, signal: null });
    expect(await unreferenced.ended).toEqual({ code: 0, signal: null });
    referenced.process.stdin!.end();
    expect(await referenced.line()).toBe("closed");
    expect(await referenced.ended).toEqual({ code: 0, signal: null });
  });

  it("lives while a server is open, and leaves no path behind after close", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const child = nodeChild(
      `
      const server = new addon.PacketServer({ path: process.env.SOCKET, mode: 0o600, onConnection() {}, onError() {} });
      say("listening");
      process.stdin.on("end", () => server.close()).resume().unref();
      `,
      { env: { SOCKET: path } },
    );
    await child.line();
    expect(existsSync(path)).toBe(true);

    expect(await child.finish()).toEqual({ code: 0, signal: null });
    expect(existsSync(path)).toBe(false);
  });

  it("keeps a started socket that nobody holds any more, garbage collected or not", async () => {
    const child = nodeChild(
      `
      let sender;
      (() => {
        const { socket, fd } = addon.packetSocketPair();
        sender = socket;
        addon.adoptPacketSocket(fd).start({ encoding: "utf8", acceptFds: false, onPacket: say, onClose() {} });
      })();
      for (let i = 0; i < 5; i++) gc();
      setImmediate(() => { gc(); sender.send("heard"); setImmediate(() => sender.close()); });
      `,
      { flags: ["--expose-gc"] },
    );

    expect(await child.line()).toContain("heard");
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });
});

import { closeSync, fstatSync, openSync, readFileSync, readSync, writeSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adoptPacketSocket, createMemfd, packetSocketPair } from "../src/addon.ts";
import { compiled } from "./compiled.ts";
import { connection } from "./connection.ts";
import { hear } from "./hear.ts";
import { Child, nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";
import { pair } from "./pair.ts";
import { refusal } from "./refusal.ts";

const rawPeer = compiled("raw-peer.cc");
const O_CLOEXEC = 0o2000000;

let before = 0;
let memfd = -1;
beforeEach(() => {
  before = openFds();
  memfd = createMemfd("lent", 4096);
});
afterEach(() => {
  closeSync(memfd);
  expect(openFds()).toBe(before);
});

function flagsOf(fd: number): number {
  return Number.parseInt(/flags:\s+(\d+)/.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))![1]!, 8);
}

describe("fds in packets", () => {
  it("arrive close-on-exec, in order, naming the same files", async () => {
    using ends = pair();
    const heard = hear(ends.right, { acceptFds: true });
    const other = openSync("/dev/null", "r");
    writeSync(memfd, "hello");

    ends.left.send("two", [memfd, other]);
    ends.left.send("none");
    await heard.received(2);

    expect(heard.packets).toEqual(["two", "none"]);
    expect(heard.fds).toHaveLength(2);
    expect(heard.fds.map((fd) => fstatSync(fd).ino)).toEqual([memfd, other].map((fd) => fstatSync(fd).ino));
    for (const fd of heard.fds) expect(flagsOf(fd) & O_CLOEXEC).toBe(O_CLOEXEC);
    const bytes = Buffer.alloc(5);
    readSync(heard.fds[0]!, bytes, 0, 5, 0);
    expect(bytes.toString()).toBe("hello");
    for (const fd of [...heard.fds, other]) closeSync(fd);
  });

  it("may be 16", async () => {
    using ends = pair();
    const heard = hear(ends.right, { acceptFds: true });

    ends.left.send("x", new Array(16).fill(memfd));
    await heard.received(1);

    expect(heard.fds).toHaveLength(16);
    for (const fd of heard.fds) closeSync(fd);
  });

  it("wait in the queue as duplicates: the caller may close its own at once", async () => {
    using ends = pair();
    while (ends.left.send("x".repeat(60_000)) === 0);
    const mine = openSync("/dev/null", "r");
    ends.left.send("with an fd", [mine]);
    closeSync(mine);

    const heard = hear(ends.right, { acceptFds: true });
    while (heard.packets.at(-1) !== "with an fd") await heard.received(heard.packets.length + 1);

    expect(fstatSync(heard.fds[0]!).isCharacterDevice()).toBe(true);
    for (const fd of heard.fds) closeSync(fd);
  });

  it("that do not exist are EBADF, whether the packet would be sent or queued", () => {
    using ends = pair();

    expect(refusal(() => ends.left.send("x", [999_999]))).toMatchObject({ code: "EBADF", syscall: "sendmsg" });
    while (ends.left.send("x".repeat(60_000)) === 0);
    const queued = ends.left.queued;
    expect(refusal(() => ends.left.send("x", [memfd, 999_999]))).toMatchObject({ code: "EBADF", syscall: "fcntl" });
    expect(ends.left.queued).toBe(queued);
  });

  it("close the socket with EPROTO where none are accepted", async () => {
    using ends = pair();
    const heard = hear(ends.right);

    ends.left.send("fine");
    ends.left.send("not fine", [memfd]);

    expect(await heard.closed).toMatchObject({ code: "EPROTO", syscall: "recvmsg" });
    expect(heard.packets).toEqual(["fine"]);
  });

  it("close the socket with EPROTO where there are more than 16, and all are closed", async () => {
    const { socket, fd } = packetSocketPair();
    const child = new Child(rawPeer, ["3", "fds=16", "fds=17", "wait"], { stdio: ["pipe", "pipe", "inherit", fd] });
    closeSync(fd);
    const heard = hear(socket, { acceptFds: true });

    expect(await heard.closed).toMatchObject({ code: "EPROTO" });
    expect(heard.fds).toHaveLength(16);
    for (const received of heard.fds) closeSync(received);
    await child.finish();
  });

  it("close the socket with EPROTO where our table is full, and those that fitted are closed", async () => {
    const child = nodeChild(
      `
      const { socket, fd } = addon.packetSocketPair();
      const other = addon.adoptPacketSocket(fd);
      const full = [];
      try { for (;;) full.push(fs.openSync("/dev/null")); } catch {}
      fs.closeSync(full.pop());
      fs.closeSync(full.pop());
      socket.send("x", full.slice(0, 5));
      other.start({
        encoding: "utf8",
        acceptFds: true,
        onPacket: () => say("a packet"),
        // The socket's own is open until this returns, so that the peer can be told why.
        onClose: (error) => setImmediate(() => {
          // The two that we had freed and the socket's own.
          let free = 0;
          try { for (;;) { fs.openSync("/dev/null"); free += 1; } } catch {}
          say(error?.code, free);
        }),
      });
      `,
      { nofile: 64 },
    );

    expect(await child.line()).toBe("EPROTO 3");
    await child.finish();
  });
});

describe("descriptors of our own", () => {
  it("are closed with their sockets, after thousands of operations, errors and drops", async () => {
    const started = openFds();
    for (let i = 0; i < 500; i++) {
      const { socket, fd } = packetSocketPair();
      const other = adoptPacketSocket(fd);
      socket.send("x", [memfd]);
      if (i % 5 === 0) while (socket.send("x".repeat(60_000), [memfd, memfd]) === 0);
      const heard = i % 3 === 0 ? hear(other) : hear(other, { acceptFds: i % 3 === 1 });
      refusal(() => socket.send("x", [999_999]));
      refusal(() => adoptPacketSocket(memfd));
      if (i % 2 === 0) socket.close();
      if (i % 3 !== 1) await heard.closed;
      socket.close();
      other.close();
      for (const received of heard.fds) closeSync(received);
    }
    for (let i = 0; i < 200; i++) {
      using ends = await connection();
      ends.client.send("x", [memfd]);
    }

    expect(openFds()).toBe(started);
  });

  it("are closed with a socket that was forgotten before it was started", async () => {
    const child = nodeChild(
      `
      const fds = () => fs.readdirSync("/proc/self/fd").length;
      const before = fds();
      for (let i = 0; i < 100; i++) fs.closeSync(addon.packetSocketPair().fd);
      const after = fds();
      const wait = () => { gc(); fds() === before ? say(after - before, "then none") : setImmediate(wait); };
      wait();
      `,
      { flags: ["--expose-gc"] },
    );

    expect(await child.line()).toBe("100 then none");
    await child.finish();
  });
});

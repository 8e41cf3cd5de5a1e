import { closeSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { adoptPacketSocket, createMemfd, packetSocketPair } from "../src/addon.ts";
import { compiled } from "./compiled.ts";
import { connection } from "./connection.ts";
import { hear, hearBytes } from "./hear.ts";
import { Child } from "./node-child.ts";
import { pair } from "./pair.ts";
import { refusal } from "./refusal.ts";

const rawPeer = compiled("raw-peer.cc");

/** Our end of a connection to a process that does as it is told. */
function toRawPeer(...actions: string[]) {
  const { socket, fd } = packetSocketPair();
  const child = new Child(rawPeer, ["3", ...actions], { stdio: ["pipe", "pipe", "inherit", fd] });
  closeSync(fd);
  return { socket, child };
}

describe("packets", () => {
  it("arrive whole and in order, 10,000 both ways at once", async () => {
    using ends = pair();
    const [left, right] = [hear(ends.left), hear(ends.right)];
    const sent = Array.from({ length: 10_000 }, (_, i) => `${i}:${"x".repeat(i % 100)}`);

    for (const text of sent) {
      ends.left.send(text);
      ends.right.send(text);
    }
    await Promise.all([left.received(10_000), right.received(10_000)]);

    expect(left.packets).toEqual(sent);
    expect(right.packets).toEqual(sent);
  });

  it("are strings, with U+FFFD for what is no UTF-8", async () => {
    using ends = pair();
    const heard = hear(ends.right);

    ends.left.send("a\u0000é€😀");
    ends.left.send("lone \ud800 surrogate");
    ends.left.send(Uint8Array.of(0x61, 0xff, 0x62));
    await heard.received(3);

    expect(heard.packets).toEqual(["a\u0000é€😀", "lone \ufffd surrogate", "a\ufffdb"]);
  });

  it("are bytes of their own where bytes are asked for", async () => {
    using ends = pair();
    const heard = hearBytes(ends.right);

    ends.left.send(Uint8Array.of(0, 1, 255));
    ends.left.send(Buffer.from("later").subarray(1, 4));
    ends.left.send(new Uint8Array(new SharedArrayBuffer(4), 1, 2));
    await heard.received(3);

    expect(heard.packets).toEqual([Uint8Array.of(0, 1, 255), Uint8Array.of(0x61, 0x74, 0x65), Uint8Array.of(0, 0)]);
    expect(heard.packets[0]!.buffer).not.toBe(heard.packets[1]!.buffer);
  });

  it("may be 65,536 bytes long and not one more, however many characters that is", async () => {
    using ends = pair();
    const heard = hear(ends.right);
    const fits = ["x".repeat(65_536), `${"€".repeat(21_845)}x`, "😀".repeat(16_384)];
    const tooLong = ["x".repeat(65_537), "€".repeat(21_846), `${"😀".repeat(16_384)}x`, "é".repeat(65_536)];

    for (const text of fits) ends.left.send(text);
    await heard.received(3);

    expect(heard.packets).toEqual(fits);
    for (const data of [...tooLong, new Uint8Array(65_537)])
      expect(refusal(() => ends.left.send(data))).toMatchObject({ code: "EMSGSIZE", syscall: "sendmsg", errno: 90 });
  });

  it("are never empty, for that would read as the end", () => {
    using ends = pair();

    expect(() => ends.left.send("")).toThrow(RangeError);
    expect(() => ends.left.send(new Uint8Array(0))).toThrow(RangeError);
  });

  it("let promises settle between one and the next", async () => {
    using ends = pair();
    const order: string[] = [];
    const done = new Promise<void>((resolve) => {
      ends.right.start({
        encoding: "utf8",
        acceptFds: false,
        onPacket: (data) => {
          order.push(data);
          Promise.resolve().then(() => order.push(`after ${data}`));
          if (data === "two") setImmediate(resolve);
        },
        onClose: () => {},
      });
    });

    ends.left.send("one");
    ends.left.send("two");
    await done;

    expect(order).toEqual(["one", "after one", "two", "after two"]);
  });
});

describe("a peer that does not read", () => {
  it("lets the queue grow, is not read from meanwhile, and gets everything once it reads", async () => {
    using ends = await connection();
    const accepted = hear(ends.accepted);
    const big = "x".repeat(60_000);
    let sent = 0;
    while (ends.accepted.queued <= 256 * 1024) {
      ends.accepted.send(big);
      sent += 1;
    }
    const queued = ends.accepted.queued;
    ends.client.send("a question");
    await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(accepted.packets).toEqual([]);
    expect(ends.accepted.hasUnread()).toBe(true);
    expect(accepted.drains).toBe(0);

    const client = hear(ends.client);
    await Promise.all([client.received(sent), accepted.received(1)]);

    expect(queued).toBeGreaterThan(256 * 1024);
    expect(client.packets.every((packet) => packet === big)).toBe(true);
    expect(accepted.packets).toEqual(["a question"]);
    expect(accepted.drains).toBe(1);
    expect(ends.accepted.queued).toBe(0);
    expect(ends.accepted.hasUnread()).toBe(false);
  });

  it("cannot make two that both send without pause wait for each other", async () => {
    using ends = await connection();
    const [client, accepted] = [hear(ends.client), hear(ends.accepted)];

    while (ends.client.queued <= 512 * 1024) ends.client.send("x".repeat(1000));
    while (ends.accepted.queued <= 512 * 1024) ends.accepted.send("x".repeat(1000));
    await Promise.all([client.received(500), accepted.received(500)]);

    while (ends.client.queued + ends.accepted.queued > 0) await new Promise(setImmediate);
    expect(client.drains + accepted.drains).toBe(2);
  });

  it("is told in the order in which things were sent, queued or not", async () => {
    using ends = pair();
    for (let i = 0; i < 5000; i++) ends.left.send(`${i}`);

    const right = hear(ends.right);
    await right.received(5000);

    expect(right.packets).toEqual(Array.from({ length: 5000 }, (_, i) => `${i}`));
  });

  it("starves no other: a client that sends without pause lets others in between", async () => {
    using busy = pair();
    using quiet = pair();
    const order: string[] = [];
    const note = (socket: typeof busy.left, name: string) =>
      socket.start({ encoding: "utf8", acceptFds: false, onPacket: () => order.push(name), onClose: () => {} });
    while (busy.left.send("x") === 0);
    const waiting = order.length;
    quiet.left.send("x");
    note(busy.right, "busy");
    note(quiet.right, "quiet");

    while (!order.includes("quiet")) await new Promise(setImmediate);

    expect(waiting).toBe(0);
    expect(order.indexOf("quiet")).toBeLessThanOrEqual(16);
  });
});

describe("the end", () => {
  it("is told once, without an error, after what the peer had still sent", async () => {
    using ends = pair();
    for (let i = 0; i < 100; i++) ends.right.send(`${i}`);
    ends.right.close();

    const heard = hear(ends.left);

    expect(await heard.closed).toBeUndefined();
    expect(heard.packets).toHaveLength(100);
  });

  it("comes after the packets of a peer that died with ours unread", async () => {
    using ends = pair();
    ends.left.send("never read");
    for (let i = 0; i < 100; i++) ends.right.send(`${i}`);
    ends.right.close();

    const heard = hear(ends.left);

    expect(await heard.closed).toBeUndefined();
    expect(heard.packets).toHaveLength(100);
  });

  it("comes after the packets of a peer that died while much was queued for it", async () => {
    using ends = await connection();
    const heard = hear(ends.accepted);
    while (ends.accepted.queued <= 256 * 1024) ends.accepted.send("x".repeat(60_000));
    for (let i = 0; i < 50; i++) ends.client.send(`${i}`);
    ends.client.close();

    expect(await heard.closed).toBeUndefined();
    expect(heard.packets).toHaveLength(50);
    expect(heard.drains).toBe(0);
  });

  it("comes when a process is killed", async () => {
    const { socket, child } = toRawPeer("size=3", "say", "wait");
    const heard = hear(socket);
    await child.line();

    child.process.kill("SIGKILL");

    expect(await heard.closed).toBeUndefined();
    expect(heard.packets).toEqual(["xxx"]);
  });

  it("comes when the peer only says that it sends no more", async () => {
    const { socket, child } = toRawPeer("size=1", "no-more", "wait");
    const heard = hear(socket);

    expect(await heard.closed).toBeUndefined();
    expect(heard.packets).toEqual(["x"]);
    await child.finish();
  });

  it("comes when the peer takes no more of what is queued", async () => {
    const { socket, child } = toRawPeer("say", "wait", "deaf", "size=1", "wait");
    await child.line();
    const heard = hear(socket);
    while (socket.queued === 0) socket.send("x".repeat(60_000));

    child.process.stdin!.end();

    expect(await heard.closed).toBeUndefined();
    await child.ended;
  });

  it("is EMSGSIZE after a packet that is too long, and that packet is not delivered cut", async () => {
    const { socket, child } = toRawPeer("size=65536", "size=65537", "wait");
    const heard = hear(socket);

    expect(await heard.closed).toMatchObject({ code: "EMSGSIZE", syscall: "recvmsg", errno: 90 });
    expect(heard.packets.map((packet) => packet.length)).toEqual([65_536]);
    await child.finish();
  });

  it("is EPROTO after an empty packet", async () => {
    const { socket, child } = toRawPeer("size=1", "empty", "wait");
    const heard = hear(socket);

    expect(await heard.closed).toMatchObject({ code: "EPROTO", syscall: "recvmsg" });
    expect(heard.packets).toEqual(["x"]);
    await child.finish();
  });

  it("is not told to whoever closes, also from within a callback of its own or of another", async () => {
    using ends = pair();
    using others = pair();
    const told: string[] = [];
    const done = new Promise<void>((resolve) => {
      ends.right.start({
        encoding: "utf8",
        acceptFds: false,
        onPacket: (data) => {
          told.push(data);
          ends.right.close();
          ends.right.close();
          others.left.close();
          setImmediate(resolve);
        },
        onClose: () => told.push("closed"),
      });
    });
    const other = hear(others.left);
    other.closed.then(() => told.push("other closed"));
    others.right.send("unheard");
    ends.left.send("one");
    ends.left.send("two");

    await done;

    expect(told.filter((word) => word !== "unheard")).toEqual(["one"]);
  });

  it("leaves what is asked of a closed socket refused, not crashed", () => {
    using ends = pair();
    ends.left.close();
    const start = () => hear(ends.left);

    for (const call of [start, () => ends.left.send("x"), () => ends.left.peerPidfd(), () => ends.left.hasUnread()])
      expect(refusal(call)).toMatchObject({ code: "EBADF" });
    expect(ends.left.queued).toBe(0);
    expect(ends.left.peer.pid).toBe(process.pid);
    ends.left.ref();
    ends.left.unref();
  });

  it("of the peer makes send throw EPIPE before onClose", async () => {
    using ends = pair();
    const heard = hear(ends.left);
    ends.right.close();

    expect(refusal(() => ends.left.send("x"))).toMatchObject({ code: "EPIPE", syscall: "sendmsg", errno: 32 });
    expect(await heard.closed).toBeUndefined();
  });
});

describe("arguments", () => {
  it("of the wrong type throw a TypeError", () => {
    using ends = pair();
    const socket = ends.left as unknown as Record<string, (...args: unknown[]) => unknown>;
    const handlers = { encoding: "utf8", acceptFds: false, onPacket() {}, onClose() {} };
    const wrong: (() => unknown)[] = [
      () => socket.send!(),
      () => socket.send!(1),
      () => socket.send!({}),
      () => socket.send!(new Uint16Array(2)),
      () => socket.send!(new DataView(new ArrayBuffer(2))),
      () => socket.send!("x", 3),
      () => socket.send!("x", ["3"]),
      () => socket.start!(),
      () => socket.start!({}),
      () => socket.start!({ ...handlers, encoding: "latin1" }),
      () => socket.start!({ ...handlers, acceptFds: 1 }),
      () => socket.start!({ ...handlers, onPacket: undefined }),
      () => socket.start!({ ...handlers, onClose: "x" }),
      () => socket.start!({ ...handlers, onDrain: null }),
      () => socket.send!.call({}, "x"),
      () => new (ends.left.constructor as new () => unknown)(),
      () => (adoptPacketSocket as unknown as (fd: unknown) => unknown)("3"),
    ];

    for (const call of wrong) expect(call, call.toString()).toThrow(TypeError);
  });

  it("out of range throw a RangeError", () => {
    using ends = pair();

    for (const fds of [[-1], [1.5], [2 ** 31], [Number.NaN], new Array(17).fill(0)])
      expect(() => ends.left.send("x", fds)).toThrow(RangeError);
  });

  it("may run JavaScript that sends on or closes the same socket", async () => {
    using ends = pair();
    const heard = hear(ends.right, { acceptFds: true });
    const fds = Object.defineProperty([0], 0, { get: () => ends.left.send("inner") });
    const closing = Object.defineProperty([0], 0, { get: () => ends.left.close() ?? 0 });

    ends.left.send("outer", fds);
    await heard.received(2);

    expect(heard.packets).toEqual(["inner", "outer"]);
    expect(refusal(() => ends.left.send("x", closing))).toMatchObject({ code: "EBADF" });
    for (const fd of heard.fds) closeSync(fd);
  });

  it("name a start that was made already", () => {
    using ends = pair();
    hear(ends.left);

    expect(refusal(() => hear(ends.left))).toMatchObject({ code: "EALREADY" });
  });
});

describe("adopting a descriptor", () => {
  it("takes connected packet sockets only, and leaves others to the caller", () => {
    const memfd = createMemfd("not a socket", 1);

    expect(refusal(() => adoptPacketSocket(memfd))).toMatchObject({ code: "ENOTSOCK", syscall: "getsockopt" });
    expect(refusal(() => adoptPacketSocket(999_999))).toMatchObject({ code: "EBADF" });

    writeSync(memfd, "still open");
    closeSync(memfd);
  });
});

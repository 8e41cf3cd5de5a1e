import {
  chmodSync,
  closeSync,
  existsSync,
  lstatSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { connectPacketSocket, PacketServer, type PacketSocket, packetSocketPair } from "../src/addon.ts";
import { compiled } from "./compiled.ts";
import { directory } from "./connection.ts";
import { hear } from "./hear.ts";
import { Child, nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";
import { refusal } from "./refusal.ts";

const rawPeer = compiled("raw-peer.cc");
const isRoot = process.getuid!() === 0;

/** A server, and a way to wait for its next connection. */
function serve(path: string, mode = 0o600) {
  const arrived: PacketSocket[] = [];
  let wake = () => {};
  const server = new PacketServer({
    path,
    mode,
    onConnection: (socket) => {
      arrived.push(socket);
      wake();
    },
    onError: (error) => {
      throw error;
    },
  });
  return {
    server,
    async next(): Promise<PacketSocket> {
      while (arrived.length === 0) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return arrived.shift()!;
    },
    [Symbol.dispose]: () => server.close(),
  };
}

describe("the path", () => {
  it("has exactly the mode that was asked for, whatever the umask", () => {
    using folder = directory();
    for (const umask of [0, 0o022, 0o777])
      for (const mode of [0o600, 0o660, 0o666, 0o777]) {
        const path = join(folder.path, `${umask}-${mode}`);
        const old = process.umask(umask);
        using _ = serve(path, mode);
        process.umask(old);

        expect(statSync(path).mode & 0o7777).toBe(mode);
      }
  });

  it("is never wider than its mode, not even while it is being made", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const watcher = nodeChild(
      `
      const seen = new Set();
      let done = false;
      process.stdin.on("end", () => { done = true; }).resume();
      say("ready");
      const look = () => {
        for (let i = 0; i < 200; i++) try { seen.add(fs.statSync(${JSON.stringify(path)}).mode & 0o777); } catch {}
        done ? say([...seen].filter((mode) => mode & ~0o600).length, seen.size) : setImmediate(look);
      };
      look();
      `,
    );
    await watcher.line();
    const old = process.umask(0);
    for (let i = 0; i < 2000; i++) serve(path, 0o600).server.close();
    process.umask(old);
    using _ = serve(path, 0o600);

    watcher.process.stdin!.end();

    expect(await watcher.line()).toBe("0 1");
  });

  it("is gone after close", () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const { server } = serve(path);
    expect(existsSync(path)).toBe(true);

    server.close();
    server.close();

    expect(existsSync(path)).toBe(false);
    expect(refusal(() => connectPacketSocket(path))).toMatchObject({ code: "ENOENT", syscall: "connect" });
  });

  it("is left alone at close if it is another's by then", () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const first = serve(path);
    renameSync(path, `${path}.moved`);
    using _ = serve(path);

    first.server.close();

    expect(lstatSync(path).isSocket()).toBe(true);
    expect(refusal(() => connectPacketSocket(`${path}.moved`))).toMatchObject({ code: "ECONNREFUSED" });
  });

  it("is taken over from a server that died", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const dead = nodeChild(`
      new addon.PacketServer({ path: ${JSON.stringify(path)}, mode: 0o600, onConnection() {}, onError() {} });
      say("listening");
    `);
    await dead.line();
    dead.process.kill("SIGKILL");
    await dead.ended;
    expect(lstatSync(path).isSocket()).toBe(true);

    using server = serve(path);
    using client = closing(connectPacketSocket(path));
    const accepted = await server.next();

    expect(client.socket.peer.pid).toBe(process.pid);
    accepted.close();
  });

  it("is EADDRINUSE while somebody listens on it, packets or stream", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const stream = join(folder.path, "stream");
    using _ = serve(path);
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(stream, resolve));

    for (const taken of [path, stream])
      expect(refusal(() => serve(taken))).toMatchObject({
        code: "EADDRINUSE",
        syscall: "bind",
        message: `bind ${taken}: EADDRINUSE, Address already in use`,
      });
    expect(lstatSync(path).isSocket()).toBe(true);
    other.close();
  });

  it("is EADDRINUSE where it is a file, a link or a directory, and they are untouched", () => {
    using folder = directory();
    const file = join(folder.path, "file");
    const link = join(folder.path, "link");
    writeFileSync(file, "precious");
    symlinkSync(join(folder.path, "nowhere"), link);

    for (const path of [file, link, folder.path])
      expect(refusal(() => serve(path))).toMatchObject({ code: "EADDRINUSE" });

    expect(readFileSync(file, "utf8")).toBe("precious");
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
  });

  it("may have 107 bytes and not one more", () => {
    using folder = directory();
    const path = `${folder.path}/`.padEnd(107, "x");
    using _ = serve(path);
    connectPacketSocket(path).close();

    expect(existsSync(path)).toBe(true);
    for (const call of [() => serve(`${path}x`), () => connectPacketSocket(`${path}x`)])
      expect(refusal(call)).toMatchObject({ code: "ENAMETOOLONG", message: expect.stringContaining("107 bytes") });
  });

  it("that cannot be made leaves no descriptor behind", () => {
    const before = openFds();
    for (let i = 0; i < 100; i++) {
      expect(refusal(() => serve("/nowhere/at/all"))).toMatchObject({ code: "ENOENT", syscall: "bind" });
      expect(refusal(() => connectPacketSocket("/nowhere/at/all"))).toMatchObject({ code: "ENOENT" });
    }

    expect(openFds()).toBe(before);
  });
});

describe("connections", () => {
  it("come one by one, a hundred at once, and answer", async () => {
    using folder = directory();
    using server = serve(join(folder.path, "socket"));
    const clients = Array.from({ length: 100 }, () => connectPacketSocket(join(folder.path, "socket")));
    const heard = clients.map((client) => hear(client));

    for (let i = 0; i < 100; i++) (await server.next()).send("welcome");
    await Promise.all(heard.map((each) => each.received(1)));

    expect(heard.every((each) => each.packets[0] === "welcome")).toBe(true);
    for (const client of clients) client.close();
  });

  it("are handed over no more once the server was closed in between", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    let count = 0;
    const server = new PacketServer({
      path,
      mode: 0o600,
      onConnection: (socket) => {
        count += 1;
        socket.close();
        server.close();
      },
      onError: () => {},
    });
    const clients = [connectPacketSocket(path), connectPacketSocket(path)].map((client) => hear(client));

    await Promise.all(clients.map((client) => client.closed));

    expect(count).toBe(1);
  });

  it("are turned away while there are no descriptors left, each is told once, and the server goes on", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const child = nodeChild(
      `
      const full = [];
      const server = new addon.PacketServer({
        path: ${JSON.stringify(path)},
        mode: 0o600,
        onConnection: (socket) => { say("accepted"); socket.close(); },
        onError: (error) => say(error.code, error.syscall),
      });
      process.stdin.once("data", () => {
        for (const fd of full) fs.closeSync(fd);
        say("emptied");
        process.stdin.once("data", () => { server.close(); process.exit(); });
      });
      setImmediate(() => {
        try { for (;;) full.push(fs.openSync("/dev/null")); } catch {}
        say("full");
      });
      `,
      { nofile: 64 },
    );
    expect(await child.line()).toBe("full");

    for (let i = 0; i < 3; i++) {
      const turnedAway = hear(connectPacketSocket(path));
      expect(await turnedAway.closed).toBeUndefined();
      expect(await child.line()).toBe("EMFILE accept4");
    }
    const idle = processorTime(child);
    child.process.stdin!.write("empty\n");
    expect(await child.line()).toBe("emptied");
    const accepted = hear(connectPacketSocket(path));

    expect(await child.line()).toBe("accepted");
    expect(await accepted.closed).toBeUndefined();
    expect(processorTime(child) - idle).toBeLessThan(50);
    child.process.stdin!.write("end\n");
    expect(await child.ended).toEqual({ code: 0, signal: null });
  });
});

describe("the peer", () => {
  it("is who connected, by its process, and a pidfd names it as well", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    using server = serve(path);
    const child = new Child(rawPeer, [path, "wait"]);
    const accepted = await server.next();

    const pidfd = accepted.peerPidfd();

    expect(accepted.peer).toEqual({ pid: child.process.pid, uid: process.getuid!(), gid: process.getgid!() });
    expect(readFileSync(`/proc/self/fdinfo/${pidfd}`, "utf8")).toContain(`Pid:\t${child.process.pid}\n`);
    closeSync(pidfd);
    accepted.close();
    await child.finish();
  });

  it.skipIf(!isRoot)("is the uid and gid that it had when it connected (needs root)", async () => {
    using folder = directory();
    using server = serve(join(folder.path, "socket"), 0o666);
    chmodSync(folder.path, 0o755);
    chmodSync(dirname(rawPeer), 0o755);
    const child = new Child(rawPeer, [join(folder.path, "socket"), "wait"], { uid: 65_534, gid: 65_533 });
    const accepted = await server.next();

    expect(accepted.peer).toEqual({ pid: child.process.pid, uid: 65_534, gid: 65_533 });
    accepted.close();
    await child.finish();
  });

  it.skipIf(!isRoot)("without permission gets EACCES (needs root)", async () => {
    using folder = directory();
    using _ = serve(join(folder.path, "socket"), 0o600);
    chmodSync(folder.path, 0o755);
    chmodSync(dirname(rawPeer), 0o755);
    const child = new Child(rawPeer, [join(folder.path, "socket")], { uid: 65_534, gid: 65_534 });

    await child.ended;

    expect(child.errors).toContain("Permission denied");
  });

  it("of a pair is ourselves", () => {
    const { socket, fd } = packetSocketPair();

    expect(socket.peer).toEqual({ pid: process.pid, uid: process.getuid!(), gid: process.getgid!() });
    closeSync(fd);
    socket.close();
  });

  it("of a server is the server", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const child = nodeChild(`
      const server = new addon.PacketServer({ path: ${JSON.stringify(path)}, mode: 0o600, onConnection(s) { s.close(); server.close(); }, onError() {} });
      say(process.pid);
    `);
    const pid = Number(await child.line());

    using client = closing(connectPacketSocket(path));

    expect(client.socket.peer.pid).toBe(pid);
    await child.ended;
  });
});

describe("arguments", () => {
  it("of the wrong type throw a TypeError, out of range a RangeError, and nothing is left at the path", () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const good = { path, mode: 0o600, onConnection() {}, onError() {} };
    const Server = PacketServer as unknown as new (options?: unknown) => unknown;
    const before = openFds();

    for (const bad of [undefined, 1, {}, { ...good, path: 1 }, { ...good, path: "" }, { ...good, path: "a\0b" }])
      expect(() => new Server(bad)).toThrow(TypeError);
    for (const bad of [{ mode: "600" }, { onConnection: 1 }, { onError: undefined }])
      expect(() => new Server({ ...good, ...bad })).toThrow(TypeError);
    for (const mode of [-1, 0o1000, 1.5]) expect(() => new Server({ ...good, mode })).toThrow(RangeError);
    expect(() => (PacketServer as unknown as () => void)()).toThrow(TypeError);
    expect(() => connectPacketSocket(1 as unknown as string)).toThrow(TypeError);

    expect(existsSync(path)).toBe(false);
    expect(openFds()).toBe(before);
  });
});

function closing(socket: PacketSocket) {
  return { socket, [Symbol.dispose]: () => socket.close() };
}

/** Clock ticks of processor time that the child has used. */
function processorTime(child: Child): number {
  const fields = readFileSync(`/proc/${child.process.pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return Number(fields[11]) + Number(fields[12]);
}

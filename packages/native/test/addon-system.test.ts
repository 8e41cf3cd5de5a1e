import { spawn } from "node:child_process";
import { closeSync, fstatSync, openSync, readFileSync, readlinkSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, it } from "vitest";
import { createMemfd, isSystemError, raiseFileLimit, sendDatagram, tryLock } from "../src/addon.ts";
import { directory } from "./connection.ts";
import { nodeChild } from "./node-child.ts";
import { openFds } from "./open-fds.ts";
import { refusal } from "./refusal.ts";

describe("tryLock", () => {
  it("gives the lock to one process at a time, and ends with it", async () => {
    using folder = directory();
    const path = join(folder.path, "lock");
    const holder = nodeChild(`say(addon.tryLock(fs.openSync(process.env.LOCK, "w"))); process.stdin.resume();`, {
      env: { LOCK: path },
    });
    expect(await holder.line()).toBe("true");
    const fd = openSync(path, "r");

    expect(tryLock(fd)).toBe(false);
    holder.process.kill("SIGKILL");
    await holder.ended;
    expect(tryLock(fd)).toBe(true);
    expect(tryLock(fd)).toBe(true);

    const second = openSync(path, "r");
    expect(tryLock(second)).toBe(false);
    closeSync(fd);
    expect(tryLock(second)).toBe(true);
    closeSync(second);
  });

  it("says what the kernel answered about anything else", () => {
    const error = refusal(() => tryLock(999_999));

    expect(error).toMatchObject({
      code: "EBADF",
      errno: 9,
      syscall: "flock",
      message: "flock: EBADF, Bad file descriptor",
    });
    expect(isSystemError(error)).toBe(true);
    expect(() => tryLock("1" as unknown as number)).toThrow(TypeError);
    expect(() => tryLock(-1)).toThrow(RangeError);
  });
});

describe("createMemfd", () => {
  it("makes so many bytes of memory that can be sealed", () => {
    const fd = createMemfd("a name", 12_345);

    expect(fstatSync(fd).size).toBe(12_345);
    expect(readlinkSync(`/proc/self/fd/${fd}`)).toBe("/memfd:a name (deleted)");
    closeSync(fd);
  });

  it("leaves nothing behind where it fails", () => {
    const before = openFds();

    expect(refusal(() => createMemfd("x".repeat(300), 1))).toMatchObject({ code: "EINVAL", syscall: "memfd_create" });
    expect(refusal(() => createMemfd("x", 2 ** 53 - 1))).toBeUndefined();
    expect(() => createMemfd("x", -1)).toThrow(RangeError);
    expect(() => createMemfd(1 as unknown as string, 1)).toThrow(TypeError);

    expect(openFds()).toBe(before + 1);
  });
});

describe("raiseFileLimit", () => {
  const capabilities = BigInt(`0x${/CapEff:\s+(\w+)/.exec(readFileSync("/proc/self/status", "utf8"))![1]}`);
  const mayRaiseHardLimit = ((capabilities >> 24n) & 1n) === 1n; // CAP_SYS_RESOURCE
  const soft = `fs.readFileSync("/proc/self/limits", "utf8").match(/Max open files +(\\d+) +(\\d+)/).slice(1)`;

  it("raises the soft limit to the hard one, and with CAP_SYS_RESOURCE both to what is wanted", async () => {
    const child = nodeChild(`say(addon.raiseFileLimit(300), ${soft}); say(addon.raiseFileLimit(1000), ${soft});`, {
      nofile: 200,
    });
    const lines = [await child.line(), await child.line()];

    expect(lines).toEqual(mayRaiseHardLimit ? ["300 300,300", "1000 1000,1000"] : ["200 200,200", "200 200,200"]);
  });

  it("lowers nothing", async () => {
    const child = nodeChild(`say(addon.raiseFileLimit(1), ${soft});`, { nofile: 200 });

    expect(await child.line()).toBe("200 200,200");
  });

  it("wants a number", () => {
    expect(() => raiseFileLimit("1" as unknown as number)).toThrow(TypeError);
    expect(() => raiseFileLimit(0)).toThrow(RangeError);
  });
});

describe("sendDatagram", () => {
  it("sends to whoever reads there, and takes no byte of its own", async () => {
    using folder = directory();
    const path = join(folder.path, "socket");
    const reader = spawn("python3", ["-c", READ, path], { stdio: ["ignore", "pipe", "inherit"] });
    const lines = createInterface({ input: reader.stdout })[Symbol.asyncIterator]();
    expect((await lines.next()).value).toBe("bound");
    const before = openFds();

    sendDatagram(path, Buffer.from("a\0b"));

    expect((await lines.next()).value).toBe("b'a\\x00b'");
    expect(openFds()).toEqual(before);
  });

  it("says what the kernel answered", () => {
    using folder = directory();
    const path = join(folder.path, "nobody");
    const send = (to: string, bytes = Buffer.from("x")) => refusal(() => sendDatagram(to, bytes));

    expect(send(path)).toMatchObject({ code: "ENOENT", syscall: "sendto" });
    expect(send(`@nobody-${process.pid}`)).toMatchObject({ code: "ECONNREFUSED", syscall: "sendto" });
    expect(send(`/${"x".repeat(200)}`)).toMatchObject({ code: "ENAMETOOLONG" });
    expect(() => sendDatagram(path, "text" as unknown as Uint8Array)).toThrow(TypeError);
  });
});

const READ =
  "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print('bound', flush=True); print(s.recv(100))";

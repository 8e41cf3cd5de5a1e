import {
  closeSync,
  fstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { raiseFileLimit, tryLock } from "../src/addon.ts";
import { encodeExport, encodeRevoke, MAX_IDS } from "../src/warden/protocol.ts";
import { nodeChild } from "./node-child.ts";
import { until } from "./until.ts";
import { type Build, builds, plain } from "./warden-builds.ts";
import { PLAIN, REGISTERS, Warden } from "./warden-process.ts";

const isRoot = process.getuid!() === 0;
const bootId = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();

async function lendOfEachKind(warden: Warden): Promise<number[]> {
  const registers = { region: REGISTERS, ranges: [{ offset: 0, length: 4096 }] };
  const all = [await warden.export(), await warden.export({ readOnly: true }), await warden.export(registers)];
  return all.map(({ fd }) => fd);
}

const sizesOf = (fds: number[]) => fds.map((fd) => fstatSync(fd).size);

describe.each(builds)("the end of a warden ($name)", (build) => {
  it("comes with its agent's: all is cut, and the last word says so", async () => {
    await using warden = new Warden(build);
    const fds = await lendOfEachKind(warden);

    const { status, lastWord } = await warden.end();

    expect(status).toBe(0);
    expect(sizesOf(fds)).toEqual([0, 0, 0]);
    expect(lastWord).toEqual({
      ...{ version: 1, instance: warden.instance, device: "sim0", bootId },
      ...{ complete: true, exports: 3, unrevoked: [] },
    });
  });

  it("does not come with the terminal's signals", async () => {
    await using warden = new Warden(build);
    const { id } = await warden.export();

    for (const signal of ["SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"]) process.kill(warden.pid, signal);

    expect(await warden.revoke(id)).toMatchObject([{ safe: true }]);
  });

  it("comes at once where the agent is gone before it starts", async () => {
    await using warden = new Warden(build);
    warden.socket.close();

    expect((await warden.end()).lastWord).toMatchObject({ exports: 0, complete: true });
  });

  it("leaves its last word's lock to the next only afterwards", async () => {
    await using warden = new Warden(build);
    await warden.ready();
    const file = openSync(warden.lastWordPath, "r");

    const [during, blank] = [tryLock(file), readFileSync(warden.lastWordPath, "utf8")];
    await warden.end();

    expect(during).toBe(false);
    expect(blank).toBe(" ".repeat(4096));
    expect(tryLock(file)).toBe(true);
    closeSync(file);
  });

  it.each([
    ["a packet of one byte", Uint8Array.of(1)],
    ["a packet of unknown type", Uint8Array.of(99, 0, 0, 0, 1, 0, 0, 0)],
    ["an answer of its own kind", Uint8Array.of(3, 0, 0, 0, 1, 0, 0, 0)],
    ["a REVOKE of none", encodeRevoke(1, [])],
    ["a REVOKE of too many", encodeRevoke(1, Array<number>(MAX_IDS + 1).fill(1))],
    ["a REVOKE that is cut short", encodeRevoke(1, [1, 2]).subarray(0, 30)],
    ["an EXPORT that is cut short", exportPacket().subarray(0, 40)],
    ["an EXPORT that is too long", Buffer.concat([exportPacket(), Buffer.alloc(8)])],
    ["a header alone", exportPacket().subarray(0, 8)],
  ])("comes, with all cut, after %s", async (_, packet) => {
    await using warden = new Warden(build);
    const fds = await lendOfEachKind(warden);

    warden.socket.send(packet);
    const { status, errors } = await warden.ended;

    expect(status).toBe(2);
    expect(errors).toMatch(/lendbuf-warden sim0: .+: revoking everything/);
    expect(sizesOf(fds)).toEqual([0, 0, 0]);
    expect(JSON.parse(readFileSync(warden.lastWordPath, "utf8"))).toMatchObject({ complete: true, exports: 3 });
  });

  it("comes after a packet that carries an fd", async () => {
    await using warden = new Warden(build);
    const fds = await lendOfEachKind(warden);

    warden.socket.send(encodeRevoke(1, [1]), [fds[0]!]);

    expect((await warden.ended).status).toBe(2);
    expect(sizesOf(fds)).toEqual([0, 0, 0]);
  });

  it.skipIf(!isRoot)(`has a last word on a full disk too${isRoot ? "" : " (skipped: run as root)"}`, async () => {
    const through = (directory: string) => [
      ...["unshare", "-m", "sh", "-c", 'mount -t tmpfs -o size=64k none "$1" && shift && exec "$@"', "sh", directory],
    ];
    await using warden = new Warden(build, { through });
    await warden.export();
    const inside = join(`/proc/${warden.pid}/root`, warden.directory);
    const file = openSync(join(inside, "last-word.json"), "r");

    expect(() => writeFileSync(join(inside, "filler"), Buffer.alloc(1 << 20))).toThrow("ENOSPC");
    warden.socket.close();
    await warden.ended;

    expect(JSON.parse(readFileSync(file, "utf8"))).toMatchObject({ complete: true, exports: 1, unrevoked: [] });
    closeSync(file);
  });
});

describe("a warden's start", () => {
  it("drops what it inherits: a stray copy of a socket would hide its peer's end", async () => {
    const inheriting: Build = {
      name: "inheriting",
      command: ["sh", "-c", 'exec "$0" "$@" 9</dev/null', ...plain.command],
    };
    await using warden = new Warden(inheriting);

    await warden.ready();

    expect(readdirSync(`/proc/${warden.pid}/fd`)).not.toContain("9");
  });
});

describe("a warden that cannot start", () => {
  it("says what to do where its last word's file exists, and leaves that alone", async () => {
    await using first = new Warden(plain);
    await first.ready();
    const again: Build = {
      name: "again",
      command: ["sh", "-c", `exec "$0" "$@" --last-word ${first.lastWordPath}`, ...plain.command],
    };
    await using warden = new Warden(again);

    const { status, errors } = await warden.ended;

    expect(status).toBe(1);
    expect(errors).toMatch(/cannot create the last word's file .*EEXIST.*: give --last-word a new path/);
    expect(readFileSync(first.lastWordPath, "utf8")).toBe(" ".repeat(4096));
  });

  it("says that agents start it where fd 3 is no socket", async () => {
    const closed: Build = { name: "closed", command: ["sh", "-c", 'exec "$0" "$@" 3</dev/null', ...plain.command] };
    await using warden = new Warden(closed);

    expect(await warden.ended).toMatchObject({
      status: 1,
      errors: expect.stringContaining("fd 3 is not a SOCK_SEQPACKET"),
    });
  });
});

describe("SIGKILL of the agent", () => {
  it("cuts 10,000 exports", { timeout: 60_000 }, async () => {
    const limit = raiseFileLimit(30_000);
    const count = Math.min(10_000, Math.floor((limit - 200) / 2));
    const lastWord = join(mkdtempSync(join(tmpdir(), "lendbuf-warden-")), "last-word.json");
    const template = Buffer.from(exportPacket()).toString("base64");
    const agent = nodeChild(agentScript, {
      env: { PROGRAM: plain.command[0]!, LAST_WORD: lastWord, COUNT: `${count}`, TEMPLATE: template },
    });
    const wardenPid = Number(await agent.line());
    expect(await agent.line()).toBe("lent");
    const fds = memfdsOf(agent.process.pid!);
    expect(fds.length).toBe(count);

    const start = performance.now();
    process.kill(agent.process.pid!, "SIGKILL");
    await until(() => fds.every((fd) => fstatSync(fd).size === 0));
    const cutMs = performance.now() - start;
    await until(() => !isRunning(wardenPid));

    console.log(`${count} exports of 64 KiB were cut ${cutMs.toFixed(1)} ms after SIGKILL of the agent`);
    expect(JSON.parse(readFileSync(lastWord, "utf8"))).toMatchObject({ complete: true, exports: count, unrevoked: [] });
    for (const fd of fds) closeSync(fd);
  });
});

/** Starts a warden and borrows from it as often as it is told, touching each page. */
const agentScript = `
  const { spawn } = require("node:child_process");
  const { PROGRAM: program, LAST_WORD: lastWord, COUNT: count, TEMPLATE: template } = process.env;
  addon.raiseFileLimit(30000);
  const { socket, fd } = addon.packetSocketPair();
  const own = ["--device", "sim0", "--simulated", "--instance", "i", "--last-word", lastWord];
  const warden = spawn(program, own, { stdio: ["ignore", "ignore", "inherit", fd], detached: true });
  fs.closeSync(fd);
  say(warden.pid);
  const packet = Buffer.from(template, "base64");
  const pages = Buffer.alloc(65536, "x");
  let id = 0;
  const ask = () => { packet.writeUInt32LE(++id, 8); socket.send(packet); };
  socket.start({ encoding: "bytes", acceptFds: true, onClose() {}, onPacket(bytes, fds) {
    for (const one of fds) fs.writeSync(one, pages, 0, pages.length, 0);
    if (id < Number(count)) ask(); else say("lent");
  } });
`;

function exportPacket(): Uint8Array {
  const ranges = [{ offset: PLAIN, length: 65_536 }];
  return encodeExport({ serial: 1, id: 1, region: 2, ranges, readOnly: false, kind: "memfd" });
}

/** Descriptors of our own for all memfds that another process has. */
function memfdsOf(pid: number): number[] {
  const folder = `/proc/${pid}/fd`;
  const paths = readdirSync(folder).map((fd) => join(folder, fd));
  return paths.filter((path) => readlinkSync(path).startsWith("/memfd:lendbuf")).map((path) => openSync(path, "r"));
}

function isRunning(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}

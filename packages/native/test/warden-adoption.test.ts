// What a warden does that was told to wait for another agent.
import { closeSync, existsSync, fstatSync, readFileSync, renameSync, statSync, writeSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { bootTimeMs, connectPacketSocket, isSystemError, type PacketSocket } from "../src/addon.ts";
import {
  decodeAdoption,
  encodeAdopt,
  encodeDeadline,
  encodeWait,
  type HeldPacket,
} from "../src/warden/adoption-protocol.ts";
import { decode, encodeExport, encodeRevoke, TYPES, VERSION, type WardenPacket } from "../src/warden/protocol.ts";
import { until } from "./until.ts";
import { type Build, builds } from "./warden-builds.ts";
import { PLAIN, Warden } from "./warden-process.ts";

const isRoot = process.getuid!() === 0;
const SECRET = Buffer.alloc(32, "secret");
const LONG_MS = 15_000;
const SERIAL = 1000;

/** An agent that comes to the door. */
class Heir implements AsyncDisposable {
  readonly socket: PacketSocket;
  /** Of each packet, with the fds that came with it. */
  readonly fds: number[][] = [];
  readonly packets: Uint8Array[] = [];
  readonly closed: Promise<void>;
  #woken: () => void = () => {};

  constructor(socket: PacketSocket) {
    this.socket = socket;
    this.closed = new Promise((resolve) => {
      this.socket.start({
        encoding: "bytes",
        acceptFds: true,
        onPacket: (bytes, fds) => {
          this.packets.push(Uint8Array.from(bytes));
          this.fds.push(fds);
          this.#woken();
        },
        onClose: () => resolve(),
      });
    });
  }

  /** Comes once the door is open. */
  static async at(warden: Warden): Promise<Heir> {
    let socket: PacketSocket | undefined;
    await until(() => {
      socket = tryConnect(warden.doorPath);
      return socket !== undefined;
    });
    return new Heir(socket!);
  }

  adopt(secret: Uint8Array = SECRET, dismiss = false, version = VERSION): this {
    this.socket.send(encodeAdopt(secret, dismiss, version));
    return this;
  }

  /** What the warden holds, once it has said it all. */
  async held(): Promise<(HeldPacket & { fd: number })[]> {
    for (;;) {
      const index = this.packets.findIndex((packet) => typeOf(packet) === TYPES.adopted);
      const adopted = index < 0 ? undefined : decodeAdoption(this.packets[index]!);
      const end = adopted?.type === "adopted" ? index + 1 + adopted.count : Number.POSITIVE_INFINITY;
      if (this.packets.length >= end) {
        return this.packets.slice(index + 1, end).map((packet, i) => {
          return { ...(decodeAdoption(packet) as HeldPacket), fd: this.fds[index + 1 + i]![0] ?? -1 };
        });
      }
      await this.#next();
    }
  }

  async ask(packet: Uint8Array, type: WardenPacket["type"]): Promise<WardenPacket> {
    const before = this.packets.length;
    this.socket.send(packet);
    for (;;) {
      const found = this.packets.slice(before).find((one) => typeOf(one) === TYPES[type]);
      if (found) return decode(found);
      await this.#next();
    }
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      this.#woken = resolve;
    });
  }

  async [Symbol.asyncDispose]() {
    this.socket.close();
    for (const fd of this.fds.flat()) closeSync(fd);
  }
}

/** Undefined where the door is not open yet. */
function tryConnect(path: string): PacketSocket | undefined {
  try {
    return connectPacketSocket(path);
  } catch (error) {
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

const typeOf = (packet: Uint8Array) => Buffer.from(packet).readUInt32LE(0);
const sizeOf = (fd: number) => fstatSync(fd).size;

/** A warden that waits for so long once its agent is gone. */
function waiting(build: Build, ms = LONG_MS, options: { uid?: number } = {}): Warden {
  const warden = new Warden(build, { ...options, mayWait: true });
  warden.socket.send(encodeWait(SERIAL, ms, SECRET));
  return warden;
}

async function lose(warden: Warden): Promise<void> {
  warden.socket.close();
  await until(() => existsSync(warden.doorPath));
}

/** Has whoever is there revoke everything and go: what was made for the test ends with it. */
async function dismiss(warden: Warden): Promise<void> {
  await using heir = await Heir.at(warden);
  heir.adopt(SECRET, true);
  await warden.ended;
}

describe.each(builds)("a warden that waits for another agent ($name)", (build) => {
  it("goes on with all that it lent, for whoever comes with the secret", async () => {
    await using warden = waiting(build);
    const one = await warden.export();
    const two = await warden.export({ readOnly: true, ranges: [{ offset: PLAIN + 8192, length: 4096 }] });
    warden.socket.send(encodeDeadline(SERIAL + 1, one.id, 2 ** 40));

    await lose(warden);
    await using heir = (await Heir.at(warden)).adopt();
    const held = await heir.held();

    expect(held.map(({ fd: _, ...rest }) => rest).sort((a, b) => a.id - b.id)).toEqual([
      { type: "held", id: one.id, deadlineMs: 2 ** 40, error: 0, isRevoking: false },
      { type: "held", id: two.id, deadlineMs: null, error: 0, isRevoking: false },
    ]);
    expect(decode(heir.packets[0]!)).toMatchObject({ type: "ready", version: VERSION });
    expect(decodeAdoption(heir.packets[1]!)).toMatchObject({ highest: two.id, serial: SERIAL + 1, isSuspended: false });
    const inodes = (fds: number[]) => fds.map((fd) => fstatSync(fd).ino).sort();
    expect(inodes(held.map(({ fd }) => fd))).toEqual(inodes([one.fd, two.fd]));
    const readOnly = held.find(({ id }) => id === two.id)!;
    expect(() => writeSync(readOnly.fd, "x")).toThrow("EBADF");
    expect(existsSync(warden.doorPath)).toBe(false);
    const usual = { region: 2, readOnly: false, scrubZero: false, kind: "memfd" } as const;
    const ranges = [{ offset: PLAIN, length: 4096 }];
    const old = await heir.ask(encodeExport({ ...usual, serial: 1, id: two.id, ranges }), "exported");
    expect(old).toMatchObject({ error: 22 });
    expect(await heir.ask(encodeRevoke(2, [one.id, two.id]), "revoked")).toMatchObject({ serial: 2 });
    await until(() => sizeOf(one.fd) === 0 && sizeOf(two.fd) === 0);
    heir.socket.send(encodeWait(3, 0, SECRET));
  });

  it("revokes everything when nobody has come in time, and leaves its last word", async () => {
    await using warden = waiting(build, 300);
    const { fd } = await warden.export();

    const start = bootTimeMs();
    await lose(warden);
    expect(sizeOf(fd)).toBe(4096);
    const { status } = await warden.ended;

    expect(bootTimeMs() - start).toBeGreaterThanOrEqual(299);
    expect([status, sizeOf(fd)]).toEqual([0, 0]);
    expect(JSON.parse(readFileSync(warden.lastWordPath, "utf8"))).toMatchObject({ complete: true, unrevoked: [] });
    expect(existsSync(warden.doorPath)).toBe(false);
  });

  it("revokes meanwhile what is due, and that alone", async () => {
    await using warden = waiting(build);
    const [due, due2, later, never] = [
      await warden.export(),
      await warden.export(),
      await warden.export(),
      await warden.export(),
    ];
    const at = bootTimeMs() + 300;
    warden.socket.send(encodeDeadline(SERIAL + 1, due.id, at));
    warden.socket.send(encodeDeadline(SERIAL + 2, later.id, at + LONG_MS));
    warden.socket.send(encodeDeadline(SERIAL + 3, due2.id, 1));

    await lose(warden);
    await until(() => sizeOf(due2.fd) === 0);
    await until(() => sizeOf(due.fd) === 0);
    const lateMs = bootTimeMs() - at;
    await using heir = (await Heir.at(warden)).adopt();
    const held = await heir.held();

    expect(lateMs).toBeGreaterThanOrEqual(0);
    expect(held.map(({ id }) => id).sort()).toEqual([later.id, never.id]);
    expect(await heir.ask(encodeRevoke(2, [due.id]), "revoked")).toMatchObject({
      entries: [{ id: due.id, method: "ended-before", safe: true }],
    });
    heir.socket.send(encodeWait(3, 0, SECRET));
  });

  it("does what its agent asked for at the last, before it waits", async () => {
    await using warden = waiting(build);
    const [one, two] = [await warden.export(), await warden.export()];

    warden.socket.send(encodeRevoke(5, [one.id]));
    await lose(warden);

    await until(() => sizeOf(one.fd) === 0);
    expect(sizeOf(two.fd)).toBe(4096);
    await dismiss(warden);
  });

  it("waits no more once it was told so: the end comes with its agent's", async () => {
    await using warden = waiting(build);
    const { fd } = await warden.export();

    warden.socket.send(encodeWait(SERIAL + 1, 0, SECRET));
    expect((await warden.end()).status).toBe(0);

    expect(sizeOf(fd)).toBe(0);
  });

  it.each([
    ["another secret", () => encodeAdopt(Buffer.alloc(32, "guess"), false)],
    ["half of an ADOPT", () => encodeAdopt(SECRET, false).subarray(0, 24)],
    ["more than an ADOPT", () => Buffer.concat([encodeAdopt(SECRET, false), Buffer.alloc(1)])],
    ["another packet", () => encodeRevoke(1, [1])],
  ])("shows whoever comes with %s out, and waits on", async (_, packet) => {
    await using warden = waiting(build);
    const { fd, id } = await warden.export();
    await lose(warden);

    await using stranger = await Heir.at(warden);
    stranger.socket.send(packet());
    await stranger.closed;
    await using heir = (await Heir.at(warden)).adopt();

    expect(stranger.packets).toEqual([]);
    expect((await heir.held()).map((one) => one.id)).toEqual([id]);
    expect(sizeOf(fd)).toBe(4096);
    heir.socket.send(encodeWait(3, 0, SECRET));
  });

  it("hears the next where one says nothing, and adopts no second one", async () => {
    await using warden = waiting(build);
    await warden.export();
    await lose(warden);

    await using silent = await Heir.at(warden);
    await using heir = (await Heir.at(warden)).adopt();
    await using late = (await Heir.at(warden)).adopt();
    await silent.closed;
    await heir.held();
    await late.closed;

    expect([silent.packets, late.packets]).toEqual([[], []]);
    heir.socket.send(encodeWait(3, 0, SECRET));
  });

  it("waits again where whoever took it over dies in the middle of it", async () => {
    await using warden = waiting(build);
    const lent = [];
    for (let i = 0; i < 20; i++) lent.push(await warden.export({ readOnly: i % 2 === 0 }));
    await lose(warden);

    const openedAt = () => statSync(warden.doorPath, { bigint: true, throwIfNoEntry: false })?.ctimeNs;
    for (let i = 0; i < 5; i++) {
      const before = openedAt();
      const first = (await Heir.at(warden)).adopt();
      if (i % 2) await until(() => first.packets.length > i);
      await first[Symbol.asyncDispose]();
      await until(() => openedAt() !== undefined && openedAt() !== before);
    }
    await using heir = (await Heir.at(warden)).adopt();

    expect((await heir.held()).length).toBe(20);
    expect(lent.map(({ fd }) => sizeOf(fd))).toEqual(Array(20).fill(4096));
    heir.socket.send(encodeWait(3, 0, SECRET));
  });

  it.each([
    ["is of another build", false, VERSION + 1, /of another build than the agent \(protocol \d+, not \d+\)/],
    ["does not want what it lent", true, VERSION, /did not want to go on/],
  ])("revokes everything and goes where the agent %s", async (_, isDismissed, version, words) => {
    await using warden = waiting(build);
    const { fd } = await warden.export();
    await lose(warden);

    await using heir = (await Heir.at(warden)).adopt(SECRET, isDismissed, version);
    const { status } = await warden.ended;
    await heir.closed;

    expect([status, sizeOf(fd)]).toEqual([0, 0]);
    expect(decode(heir.packets[0]!)).toMatchObject({ type: "lost", words: expect.stringMatching(words) });
    expect(JSON.parse(readFileSync(warden.lastWordPath, "utf8"))).toMatchObject({ complete: true, unrevoked: [] });
  });

  it("revokes everything at once where its door cannot be opened", async () => {
    await using warden = waiting(build);
    const { fd } = await warden.export();

    renameSync(warden.directory, `${warden.directory}-moved`);
    warden.socket.close();
    const { status, errors } = await warden.ended;

    expect([status, sizeOf(fd)]).toEqual([2, 0]);
    expect(errors).toMatch(/ENOENT.*: revoking everything/);
  });

  it("breaks off where it is told to wait without a door", async () => {
    await using warden = new Warden(build);
    const { fd } = await warden.export();

    warden.socket.send(encodeWait(SERIAL, LONG_MS, SECRET));

    expect(await warden.ended).toMatchObject({ status: 2, errors: expect.stringContaining("without --door") });
    expect(sizeOf(fd)).toBe(0);
  });

  it.skipIf(!isRoot)(`lets no other uid in${isRoot ? "" : " (skipped: run as root)"}`, async () => {
    await using warden = waiting(build, LONG_MS, { uid: 1234 });
    const { fd } = await warden.export();
    await lose(warden);

    await using root = await Heir.at(warden);
    try {
      root.adopt();
    } catch (cause) {
      if (!isSystemError(cause) || cause.code !== "EPIPE") throw cause; // shown out before it could say a word
    }
    await root.closed;

    expect(root.packets).toEqual([]);
    expect(sizeOf(fd)).toBe(4096);
    process.kill(warden.pid, "SIGKILL");
  });
});

// Restart without revoking: what is lent outlives its agent for a limited time, and the next agent takes it over; else it ends.
import { closeSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { bootTimeMs, connectPacketSocket, Mapping } from "@lendbuf/native/addon";
import { encodeAdopt } from "@lendbuf/native/warden/adoption-protocol";
import type { AuditEntry } from "@lendbuf/shared/audit";
import type { Delegation } from "@lendbuf/shared/delegation";
import { afterEach, describe, expect, it } from "vitest";
import { startClient } from "./client-process.ts";
import { AgentProcess, isRunning, openFileNames, startAgent, temporaryFolder, until } from "./harness.ts";
import type { RawClient } from "./raw-client.ts";

const LONG = "60s";

const opened: { stop(): Promise<unknown> }[] = [];
const closing: (() => void)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0)) close();
  for (const one of opened.splice(0).reverse()) await one.stop();
});

/** A host on which one agent follows the other. */
class Host {
  readonly folder = temporaryFolder();
  readonly state = join(this.folder, "state");
  readonly socket = join(this.folder, "agent.sock");
  readonly adoptTime: string;

  constructor(adoptTime = LONG) {
    this.adoptTime = adoptTime;
  }

  async start(options: { adoptTime?: string; args?: string[] } = {}): Promise<AgentProcess> {
    const { adoptTime = this.adoptTime, args = [] } = options;
    const all = ["--adopt-time", adoptTime, ...args];
    const agent = await startAgent({ state: this.state, socket: this.socket, args: all });
    const stop = async () => {
      agent.kill("SIGINT"); // with all that it lent
      await agent.stop();
    };
    opened.push({ stop });
    return agent;
  }

  /** The process that holds the simulated device. */
  get wardens(): { instance: string; pid: number; secret: string }[] {
    const folder = join(this.state, "wardens");
    const names = readdirSync(folder).filter((name) => name.endsWith(".adopt"));
    return names.map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")));
  }

  door(instance: string): string {
    return join(this.state, "wardens", `${instance}.door`);
  }
}

interface Lent {
  id: number;
  mapping: Mapping;
  client: RawClient;
}

async function borrow(client: RawClient, input: object): Promise<Lent & { resumeMs: number | null }> {
  client.begin("delegations.borrow", input);
  const { json, fds } = await client.packet();
  if (json.error) throw new Error(json.error.message);
  const { delegation, size, resumeMs } = json.result;
  const mapping = new Mapping(fds[0]!, { length: size, writable: delegation.access === "read-write" });
  closing.push(() => mapping.close());
  return { id: delegation.id, mapping, client, resumeMs };
}

async function delegation(client: RawClient, id: number): Promise<Delegation> {
  return (await client.ask("delegations.get", { id })).result;
}

async function ended(client: RawClient, id: number): Promise<Delegation> {
  await until(async () => (await delegation(client, id)).state === "revoked", `${id} has ended`);
  return delegation(client, id);
}

async function audit(client: RawClient): Promise<AuditEntry[]> {
  return (await client.ask("audit.list", { limit: 100 })).result.items;
}

const isCut = (mapping: Mapping): boolean => {
  try {
    mapping.load(0, 8);
    return false;
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EFAULT") return true;
    throw cause;
  }
};

describe("an agent that is killed and started again", () => {
  it("takes over what the one before had lent: the memory is the same, and so are the lease and its client", async () => {
    const host = new Host();
    const first = await host.start();
    const before = await borrow(first.raw(), { buffer: "sim0/ddr", leaseMs: 600_000 });
    before.mapping.store(64, 32, 0xcafe);
    const [warden] = host.wardens;

    await first.crash();
    const second = await host.start();
    const client = second.raw();
    const { result } = await client.ask("delegations.resume", { id: before.id });

    expect(before.resumeMs).toBe(120_000);
    expect(result).toMatchObject({ state: "active", client: { pid: process.pid }, revocation: null });
    expect(before.mapping.load(64, 32)).toBe(0xcafe);
    before.mapping.store(64, 32, 0xbeef);
    expect((await client.ask("delegations.list")).result.total).toBe(1);
    expect((await client.ask("delegations.borrow", { buffer: "sim0/ddr" })).error.data.code).toBe("BUSY");
    expect((await client.ask("status.get")).result.devices[0].warden).toMatchObject({ pid: warden!.pid });
    const rows = await audit(client);
    expect(rows.find(({ action }) => action === "agent.adopted")).toMatchObject({
      detail: { device: "sim0", pid: warden!.pid, count: 1, ids: [before.id], ended: [], strays: 0 },
    });
    expect((await client.ask("audit.verify")).result).toMatchObject({ ok: true });
    expect((await client.ask("delegations.release", { id: before.id })).result).toMatchObject({
      ...{ state: "revoked", reason: "released", proof: { by: "warden", method: "ftruncate" } },
    });
    expect(isCut(before.mapping)).toBe(true);
  });

  it("finds the device as it was: its signals went on for their readers meanwhile", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ch0", access: "read-only" });
    const ring = () => {
      const bytes = new Uint8Array(4096);
      mapping.read(0, bytes);
      return Buffer.from(bytes).toString("latin1");
    };

    await first.crash();
    const [one] = [ring()];
    await until(() => ring() !== one, "the signal goes on without an agent");
    const client = (await host.start()).raw();
    await client.ask("delegations.resume", { id });

    const two = ring();
    await until(() => ring() !== two, "the signal goes on with the next agent");
    expect(await delegation(client, id)).toMatchObject({ state: "active" });
  });

  it("keeps the reason, the proof and the time of a lease that ended while none was there", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr", leaseMs: 3000 });
    const endsAt = bootTimeMs() + 3000;
    const other = await borrow(first.raw(), { buffer: "sim0/ch1", leaseMs: 600_000 });

    await first.crash();
    expect(isCut(mapping)).toBe(false);
    await until(() => isCut(mapping), "the warden revokes it by itself", 10_000);
    const lateMs = bootTimeMs() - endsAt;
    expect(isCut(other.mapping)).toBe(false);
    const client = (await host.start()).raw();

    expect(lateMs).toBeGreaterThan(-100);
    expect(await ended(client, id)).toMatchObject({
      ...{ reason: "expired", proof: { by: "warden", method: "ftruncate", answer: "0" } },
    });
    expect((await client.ask("delegations.resume", { id })).error.data.code).toBe("ENDED");
    expect((await client.ask("delegations.resume", { id: other.id })).result).toMatchObject({ state: "active" });
    const rows = await audit(client);
    expect(rows.find(({ action }) => action === "agent.adopted")).toMatchObject({ detail: { ended: [id] } });
  });

  it("ends a lease at its time that it took over, as it was extended", async () => {
    const host = new Host();
    const first = await host.start();
    const raw = first.raw();
    const { id, mapping } = await borrow(raw, { buffer: "sim0/ddr", leaseMs: 1000 });
    await raw.ask("delegations.extend", { id, byMs: 5000 });
    const endsAt = bootTimeMs() + 6000;

    await first.crash();
    const client = (await host.start()).raw();
    await client.ask("delegations.resume", { id });
    expect(isCut(mapping)).toBe(false);
    await until(() => isCut(mapping), "it ends", 15_000);

    expect(bootTimeMs() - endsAt).toBeGreaterThan(-1200);
    expect(await ended(client, id)).toMatchObject({ reason: "expired" });
  });

  it("takes memory at the time that was announced, by whoever announced it", async () => {
    const host = new Host();
    const first = await host.start();
    const raw = first.raw();
    const { id, mapping } = await borrow(raw, { buffer: "sim0/ddr", leaseMs: 600_000 });
    await raw.ask("delegations.revoke", { ids: [id], noticeMs: 8000 });

    await first.crash();
    const client = (await host.start()).raw();
    const { result } = await client.ask("delegations.resume", { id });

    expect(result).toMatchObject({ state: "active", ending: { reason: "operator" } });
    expect(isCut(mapping)).toBe(false);
    await until(() => isCut(mapping), "it is taken", 15_000);
    expect(await ended(client, id)).toMatchObject({ reason: "operator" });
    const rows = await audit(client);
    expect(rows.find(({ action }) => action === "delegation.revoked")!.actor).toMatch(/^uid:/);
  });

  it("finds out that a client has died meanwhile, and ends what it held", async () => {
    const host = new Host();
    const first = await host.start();
    const dead = await startClient(host.socket);
    opened.push(dead);
    const { delegation: its, fd } = await dead.borrow({ buffer: "sim0/ddr" });
    const kept = await dead.borrow({ buffer: "sim0/ch0", access: "read-only", keep: true });
    expect(await dead.inspect(fd)).toMatch(/mapping ok/);

    await first.crash();
    await dead.kill();
    const client = (await host.start()).raw();

    expect(await ended(client, its.id)).toMatchObject({ reason: "disconnected", proof: { by: "warden" } });
    await until(async () => (await delegation(client, kept.delegation.id)).client === null, "nobody holds it");
    expect(await delegation(client, kept.delegation.id)).toMatchObject({ state: "active" });
    const again = client.begin("delegations.claim", { id: kept.delegation.id });
    expect((await client.packet()).json).toMatchObject({ id: again, result: { delegation: { state: "active" } } });
  });

  it("ends what whose client does not come back in time", async () => {
    const host = new Host("4s");
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });

    await first.crash();
    const client = (await host.start()).raw();

    expect(await delegation(client, id)).toMatchObject({ state: "active" });
    await until(() => isCut(mapping), "it is given up", 10_000);
    expect(await ended(client, id)).toMatchObject({ reason: "disconnected" });
  });

  it("lets nobody but the very process resume what it had claimed", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr", keep: true });

    await first.crash();
    await host.start();
    const stranger = await startClient(host.socket);
    opened.push(stranger);

    expect((await stranger.ask("delegations.resume", { id })).error?.data.code).toBe("NOT_YOURS");
    expect((await stranger.ask("delegations.claim", { id })).error?.data.code).toBe("ALREADY_CLAIMED");
    expect(isCut(mapping)).toBe(false);
  });

  it("scrubs what is lent after its end, and not while it takes it over", async () => {
    const host = new Host();
    const first = await host.start();
    const raw = first.raw();
    const ranges = [{ offset: 4 << 20, length: 8192 }];
    await raw.ask("buffers.define", { name: "clean", device: "sim0", region: 2, ranges, scrub: "zero" });
    const { id, mapping } = await borrow(raw, { buffer: "clean" });
    mapping.store(0, 32, 0x5ec2e7);

    await first.crash();
    const client = (await host.start()).raw();
    await client.ask("delegations.resume", { id });

    expect(mapping.load(0, 32)).toBe(0x5ec2e7);
    expect((await client.ask("buffers.get", { name: "clean" })).result).toMatchObject({ state: "lent" });
    await client.ask("delegations.release", { id });
    const next = await borrow(client, { buffer: "clean" });
    expect(next.mapping.load(0, 32)).toBe(0);
    const rows = await audit(client);
    expect(rows.map(({ action }) => action)).not.toContain("buffer.held");
  });

  it("takes over windows too, and copies through them", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr", exporter: "staged" });
    mapping.store(16, 32, 0xabcd);

    await first.crash();
    const client = (await host.start()).raw();
    await client.ask("delegations.resume", { id });
    const { result } = await client.ask("delegations.sync", { id, direction: "to-device", length: 32 });
    mapping.store(16, 32, 0);
    await client.ask("delegations.sync", { id, direction: "from-device", length: 32 });

    expect(result).toMatchObject({ length: 32 });
    expect(mapping.load(16, 32)).toBe(0xabcd);
    expect((await client.ask("delegations.release", { id })).result).toMatchObject({ state: "revoked" });
    expect(isCut(mapping)).toBe(true);
  });

  it("revokes exports that are in no book", async () => {
    const host = new Host();
    const first = await host.start();
    const raw = first.raw();
    await raw.ask("buffers.read", { name: "sim0/ddr", length: 16 }); // through an export of the agent's own

    await first.crash();
    const client = (await host.start()).raw();

    const rows = await audit(client);
    expect(rows.find(({ action }) => action === "agent.adopted")).toMatchObject({ detail: { strays: 1 } });
    const memfds = () => openFileNames(host.wardens[0]!.pid).filter((name) => name.startsWith("/memfd:lendbuf"));
    await until(() => memfds().length === 0, "its warden has let go of it");
  });

  it("does so again and again, and whoever it kills in the middle of it", { timeout: 120_000 }, async () => {
    const host = new Host();
    let agent = await host.start();
    const before = await borrow(agent.raw(), { buffer: "sim0/ddr", leaseMs: 600_000 });
    const [warden] = host.wardens;

    for (const afterMs of [250, 350, 450, 550, 700]) {
      await agent.crash();
      agent = new AgentProcess({ state: host.state, socket: host.socket, args: ["--adopt-time", LONG] });
      opened.push(agent);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
    }
    await agent.crash();
    const client = (await host.start()).raw();

    expect((await client.ask("delegations.resume", { id: before.id })).result).toMatchObject({ state: "active" });
    expect(host.wardens).toEqual([warden]);
    before.mapping.store(0, 32, 7);
    expect(isCut(before.mapping)).toBe(false);
    expect((await client.ask("audit.verify")).result).toMatchObject({ ok: true });
  });
});

describe("an agent that ends", () => {
  it("by SIGTERM leaves what is lent to the next", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });

    first.kill("SIGTERM");
    expect(await first.exited).toEqual({ code: 0, signal: null });
    expect(isCut(mapping)).toBe(false);
    const client = (await host.start()).raw();

    expect((await client.ask("delegations.resume", { id })).result).toMatchObject({ state: "active", reason: null });
  });

  it("by SIGINT ends what is lent, and its wardens with it", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;

    first.kill("SIGINT");
    await first.exited;

    expect(isCut(mapping)).toBe(true);
    expect(isRunning(warden!.pid)).toBe(false);
    const client = (await host.start()).raw();
    expect(await delegation(client, id)).toMatchObject({ state: "revoked", reason: "agent-restart" });
  });

  it("without --adopt-time ends all, as does one that follows without it", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });

    await first.crash();
    const second = await host.start({ adoptTime: "off" });
    const client = second.raw();

    await until(() => isCut(mapping), "the warden is dismissed");
    expect(await ended(client, id)).toMatchObject({ reason: "agent-restart", proof: { by: "last-word" } });
    const last = await borrow(client, { buffer: "sim0/ddr" });
    expect(last.resumeMs).toBe(null);
    await second.crash();
    await until(() => isCut(last.mapping), "it ends with its agent", 500);
  });
});

describe("an agent that never comes back", () => {
  it("leaves nothing after the time that its warden waits, and a last word", async () => {
    const host = new Host("2s");
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;

    await first.crash();
    const start = performance.now();
    await until(() => isCut(mapping), "it is revoked", 10_000);
    const waitedMs = performance.now() - start;
    await until(() => !isRunning(warden!.pid), "the warden has gone");

    console.log(`cut ${(waitedMs - 2000).toFixed(0)} ms after the 2 s that its warden waited`);
    expect(waitedMs).toBeGreaterThan(1800);
    const client = (await host.start()).raw();
    expect(await ended(client, id)).toMatchObject({ reason: "agent-restart", proof: { by: "last-word" } });
  });

  it("and whose warden is killed leaves it unproven, and says so", async () => {
    const host = new Host();
    const first = await host.start();
    const { id } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;

    await first.crash();
    process.kill(warden!.pid, "SIGKILL");
    await until(() => !isRunning(warden!.pid), "the warden has gone");
    const client = (await host.start()).raw();

    expect(await delegation(client, id)).toMatchObject({ state: "revoking", revocation: { unproven: true } });
  });
});

describe("a warden that waits", () => {
  it("is adopted by nobody without its secret, or twice, and waits on", async () => {
    const host = new Host();
    const first = await host.start();
    const { id } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;
    await first.crash();
    await until(
      () => statSync(host.door(warden!.instance), { throwIfNoEntry: false }) !== undefined,
      "its door is open",
    );

    const answers = await knock(host.door(warden!.instance), Buffer.alloc(32, "x"));
    const client = (await host.start()).raw();

    expect(answers).toEqual([]);
    expect((await client.ask("delegations.resume", { id })).result).toMatchObject({ state: "active" });
    expect(statSync(host.door(warden!.instance), { throwIfNoEntry: false })).toBeUndefined();
  });

  it("is dismissed where its device is configured otherwise now", async () => {
    const host = new Host();
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;
    await first.crash();
    const word = join(host.state, "wardens", `${warden!.instance}.adopt`);
    writeFileSync(word, JSON.stringify({ ...warden, args: ["--simulated", "--otherwise"] }));

    const client = (await host.start()).raw();

    await until(() => isCut(mapping), "it revokes everything");
    expect(await ended(client, id)).toMatchObject({ reason: "agent-restart", proof: { by: "last-word" } });
    expect(await borrow(client, { buffer: "sim0/ddr" })).toMatchObject({ resumeMs: 120_000 });
  });

  it("is left alone where whoever listens at its door is somebody else", async () => {
    const host = new Host("3s");
    const first = await host.start();
    const { id, mapping } = await borrow(first.raw(), { buffer: "sim0/ddr" });
    const [warden] = host.wardens;
    await first.crash();
    const word = join(host.state, "wardens", `${warden!.instance}.adopt`);
    writeFileSync(word, JSON.stringify({ ...warden, pid: process.pid }));

    const client = (await host.start()).raw();

    await until(() => isCut(mapping), "it ends by itself", 10_000);
    expect(await ended(client, id)).toMatchObject({ reason: "agent-restart" });
  });
});

/** Says ADOPT at a door; what was answered until it was shut. */
function knock(path: string, secret: Uint8Array): Promise<Uint8Array[]> {
  const socket = connectPacketSocket(path);
  const answers: Uint8Array[] = [];
  return new Promise((resolve) => {
    socket.start({
      encoding: "bytes",
      acceptFds: true,
      onPacket: (bytes, fds) => {
        for (const fd of fds) closeSync(fd);
        answers.push(bytes);
      },
      onClose: () => resolve(answers),
    });
    socket.send(encodeAdopt(secret, false));
  });
}

// The books cannot be written, or not be read: nothing new is lent, every end is enforced all the same, and all of it is said.
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import type { Status } from "@lendbuf/shared/status";
import { describe, expect, it } from "vitest";
import { type ClientProcess, startClient } from "./client-process.ts";
import { type AgentProcess, ordinaryUser, until } from "./harness.ts";
import type { Readers } from "./readers.ts";
import { Stage } from "./stage.ts";

const SIZE = 64 * 1024;

const stage = Stage.forEach();

async function newClient(agent: AgentProcess, user: { uid?: number } = {}): Promise<ClientProcess> {
  const client = await startClient(agent.socket, user);
  stage.opened.push(client);
  return client;
}

async function define(client: ClientProcess, names: string[]): Promise<void> {
  for (const [index, name] of names.entries()) {
    const ranges = [{ offset: (4 << 20) + index * SIZE, length: SIZE }];
    await client.must("buffers.define", { name, device: "sim0", region: 2, ranges });
  }
}

interface Held {
  id: number;
  client: ClientProcess;
  readers: Readers;
}

/** By the way in which it will end. */
type Ending = Record<"revoked" | "released" | "disconnected" | "expired", Held>;

async function holdForEachEnd(agent: AgentProcess): Promise<Ending> {
  return {
    revoked: await hold(agent, "revoked"),
    released: await hold(agent, "released", { access: "read-only" }),
    disconnected: await hold(agent, "disconnected"),
    expired: await hold(agent, "expired", { leaseMs: 2000 }),
  };
}

const REASONS = {
  revoked: "operator",
  released: "released",
  disconnected: "disconnected",
  expired: "expired",
} as const;

/** A delegation with processes that read its memory. */
async function hold(agent: AgentProcess, buffer: string, more: object = {}): Promise<Held> {
  const client = await newClient(agent);
  const { delegation, fd } = await client.borrow({ buffer, ...more });
  const readers = await client.lend(fd, { size: SIZE, mode: "guarded", paced: true });
  return { id: delegation.id, client, readers };
}

async function statusOf(client: ClientProcess): Promise<Status> {
  return (await client.must("status.get")).result;
}

async function expectRefused(client: ClientProcess, buffer: string, words: RegExp): Promise<void> {
  for (const method of ["delegations.borrow", "delegations.request"]) {
    const { error } = await client.ask(method, { buffer });
    expect(error).toMatchObject({ data: { code: "STORE_READ_ONLY" }, message: expect.stringMatching(words) });
  }
}

async function recovers(client: ClientProcess): Promise<void> {
  const isWell = async () => {
    const { store, devices } = await statusOf(client);
    return store.state === "ok" && store.unrecorded === 0 && devices[0]!.state === "ready";
  };
  await until(isWell, "the store goes on by itself");
}

/** Every way in which an end comes about, but the agent's own. */
async function expectEndsEnforced(operator: ClientProcess, held: Ending): Promise<void> {
  const told: Record<string, bigint> = {};
  told.revoked = (await operator.must("delegations.revoke", { ids: [held.revoked.id] })).atNs;
  told.released = (await held.released.client.must("delegations.release", { id: held.released.id })).atNs;
  await held.disconnected.client.kill();
  for (const [name, { readers }] of Object.entries(held)) {
    await readers.refused(20);
    const toldNs = told[name];
    if (toldNs !== undefined) expect(readers.lastReadNs(), name).toBeLessThanOrEqual(toldNs);
  }
}

describe("a full disk", () => {
  const options = { size: "2m" };

  /** A small disk of its own for the state. */
  function mountDisk(): string | undefined {
    if (process.getuid!() !== 0) return "only root can mount a small disk: run the tests as root";
    try {
      execFileSync(
        "mount",
        ["-t", "tmpfs", "-o", `size=${options.size},mode=0700`, "lendbuf-test", `${stage.folder}/state`],
        {
          stdio: "pipe",
        },
      );
    } catch (cause) {
      return `a small disk cannot be mounted here (${(cause as Error).message.trim()}): give the tests CAP_SYS_ADMIN`;
    }
    stage.opened.push({ stop: () => void execFileSync("umount", ["-l", `${stage.folder}/state`]) });
    return undefined;
  }

  function fill(): void {
    const path = `${stage.folder}/state/ballast`;
    const piece = Buffer.alloc(4096);
    try {
      for (;;) writeFileSync(path, piece, { flag: "a" });
    } catch (cause) {
      expect((cause as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }

  function free(): void {
    rmSync(`${stage.folder}/state/ballast`);
  }

  /** The log may have room in its last page: lends until the store says no. */
  async function useUp(client: ClientProcess): Promise<void> {
    for (let i = 0; i < 500; i++) {
      const { result, error } = await client.ask("delegations.request", { buffer: "spare" });
      if (error?.data.code === "STORE_READ_ONLY") return;
      await client.must("delegations.revoke", { ids: [result.id] });
    }
    throw new Error("the disk is full, and the store writes on");
  }

  it("stops lending, and no end; what ended is written when there is room again", async ({ skip }) => {
    const obstacle = mountDisk();
    skip(obstacle !== undefined, obstacle);
    const agent = await stage.newAgent();
    const operator = await newClient(agent);
    await define(operator, ["revoked", "released", "disconnected", "expired", "waited", "spare"]);
    const held = await holdForEachEnd(agent);
    await hold(agent, "waited");
    const waiting = (await operator.must("delegations.request", { buffer: "waited", wait: true })).result.id;
    fill();
    await useUp(operator);

    await expectRefused(operator, "spare", /disk .* is full\. Free some space/);
    await expectEndsEnforced(operator, held);

    const status = await statusOf(operator);
    expect(status.store).toMatchObject({ state: "refusing", problem: expect.stringContaining("is full") });
    expect(status.store.unrecorded).toBeGreaterThanOrEqual(4);
    expect(status.warnings.join("\n")).toMatch(/Nothing new can be lent: .*full[\s\S]*not on disk yet/);
    for (const [name, reason] of Object.entries(REASONS)) {
      const { result } = await operator.must("delegations.get", { id: held[name as keyof Ending].id });
      expect(result).toMatchObject({ state: "revoked", reason, unrecorded: true });
    }

    free();
    await recovers(operator);
    for (const [name, reason] of Object.entries(REASONS)) {
      const { result } = await operator.must("delegations.get", { id: held[name as keyof Ending].id });
      expect(result).toMatchObject({ state: "revoked", reason, unrecorded: false, proof: { by: "warden" } });
    }
    expect((await operator.must("delegations.get", { id: waiting })).result).toMatchObject({ state: "waiting" });
    expect((await operator.must("audit.verify")).result).toMatchObject({ ok: true });
    await operator.borrow({ buffer: "spare" });
  });

  it("and a crash besides: the next agent says that all has ended, lends nothing until there is room, and nothing false", async ({
    skip,
  }) => {
    const obstacle = mountDisk();
    skip(obstacle !== undefined, obstacle);
    const agent = await stage.newAgent();
    const first = await newClient(agent);
    await define(first, ["revoked", "live", "spare"]);
    const revoked = await hold(agent, "revoked");
    const live = await hold(agent, "live");
    fill();
    await useUp(first);
    await first.must("delegations.revoke", { ids: [revoked.id] });

    await agent.crash();
    await live.readers.refused(20);
    const second = await stage.newAgent();
    const operator = await newClient(second);
    const { devices, store, warnings } = await statusOf(operator);
    for (const { id } of [revoked, live]) {
      const { result } = await operator.must("delegations.get", { id });
      expect(result).toMatchObject({ reason: "agent-restart", unrecorded: true });
    }
    const { error } = await operator.ask("delegations.borrow", { buffer: "spare" });
    free();
    await recovers(operator);

    expect(store.problem).toContain("is full");
    expect(devices[0]).toMatchObject({ state: "lost", problem: expect.stringMatching(/last word|No space/) });
    expect(warnings.length).toBeGreaterThanOrEqual(2);
    expect(["STORE_READ_ONLY", "DEVICE_LOST"]).toContain(error?.data.code);
    for (const { id } of [revoked, live]) {
      const { result } = await operator.must("delegations.get", { id });
      expect(result).toMatchObject({ state: "revoked", reason: "agent-restart", proof: { by: "last-word" } });
    }
    expect((await operator.must("audit.verify")).result).toMatchObject({ ok: true });
    await operator.borrow({ buffer: "spare" });
  });
});

it("a stage.folder that cannot be written at start: says for whom to make it writable, and goes on by itself", async ({
  skip,
}) => {
  const user = ordinaryUser();
  skip(
    process.getuid!() === 0 && user.uid === undefined,
    "root may write everywhere: open the checkout to other users (chmod o+x)",
  );
  const uid = user.uid ?? process.getuid!();
  chownSync(stage.folder, uid, uid);
  chownSync(`${stage.folder}/state`, uid, uid);
  chmodSync(`${stage.folder}/state`, 0o500);
  const agent = await stage.newAgent(user);
  const operator = await newClient(agent, user);

  const { store, warnings } = await statusOf(operator);
  const { error } = await operator.ask("delegations.request", { buffer: "sim0/ddr", wait: true });
  const entries = readdirSync(`${stage.folder}/state`);
  chmodSync(`${stage.folder}/state`, 0o700);
  await recovers(operator);

  expect(store).toMatchObject({
    state: "refusing",
    problem: expect.stringMatching(new RegExp(`cannot be written \\(EACCES\\)\\. Make it writable for uid ${uid}`)),
  });
  expect(warnings.join("\n")).toContain("Nothing new can be lent");
  expect(error?.data.code).toBe("STORE_READ_ONLY");
  expect(entries).toEqual([]);
  await operator.borrow({ buffer: "sim0/ddr" });
});

it("a database that another program has locked at start: lends nothing, and takes up who waited once it is free", async () => {
  const first = await stage.newAgent();
  const client = await newClient(first);
  const { readers, id: heldId } = await hold(first, "sim0/ch0");
  const waiting = (await client.must("delegations.request", { buffer: "sim0/ch0", wait: true })).result.id;
  await first.crash();
  await readers.refused(20);
  const locker = await stage.lockDatabase();

  const second = await stage.newAgent();
  const operator = await newClient(second);
  const { store } = await statusOf(operator);
  await expectRefused(operator, "sim0/ddr", /another program has locked .*\. End it/);
  const poked = await operator.ask("buffers.poke", { name: "sim0/regs", offset: 8, value: "0x3e8" });
  const peeked = await operator.must("buffers.peek", { name: "sim0/regs", offset: 8 });
  await locker.stop();
  await recovers(operator);

  expect(store).toMatchObject({ state: "refusing", keptAside: null });
  expect([poked.error?.data.code, peeked.result.values]).toEqual(["STORE_READ_ONLY", ["0x0003d090"]]); // not done
  const held = (await operator.must("delegations.get", { id: heldId })).result;
  expect(held).toMatchObject({ state: "revoked", reason: "agent-restart", proof: { by: "last-word" } });
  expect((await operator.must("delegations.get", { id: waiting })).result).toMatchObject({ state: "offered" });
  expect((await operator.borrow({ buffer: "sim0/ddr" })).delegation.id).toBeGreaterThan(waiting);
  expect((await operator.must("audit.verify")).result).toMatchObject({ ok: true });
});

it("a corrupt database at start: is kept as it was, the books begin anew, and both is said", async () => {
  const first = await stage.newAgent();
  const { readers } = await hold(first, "sim0/ch0");
  await first.crash();
  await readers.refused(20);
  const garbage = Buffer.alloc(64 * 1024, "not a database ");
  for (const file of ["lendbuf.db", "lendbuf.db-wal"]) writeFileSync(`${stage.folder}/state/${file}`, garbage);

  const second = await stage.newAgent();
  const operator = await newClient(second);

  const { store, warnings } = await statusOf(operator);
  expect(store).toMatchObject({
    state: "ok",
    problem: null,
    keptAside: expect.stringContaining("lendbuf.db.corrupt-"),
  });
  expect(readFileSync(store.keptAside!).equals(garbage)).toBe(true);
  expect(warnings.join("\n")).toContain(store.keptAside!);
  expect(second.output).toContain(store.keptAside!);
  expect((await operator.borrow({ buffer: "sim0/ch0" })).delegation.id).toBe(1);
  expect((await operator.must("audit.verify")).result).toMatchObject({ ok: true });
});

it("a database that is overwritten while the agent runs: every end is enforced, and the next start loses nothing unsaid", async () => {
  const agent = await stage.newAgent();
  const operator = await newClient(agent);
  await define(operator, ["revoked", "released", "disconnected", "expired"]);
  const held = await holdForEachEnd(agent);
  for (const name of ["lendbuf.db", "lendbuf.db-wal"]) {
    const path = `${stage.folder}/state/${name}`;
    writeFileSync(path, Buffer.alloc(statSync(path).size, "overwritten "), { flag: "r+" });
  }

  await expectEndsEnforced(operator, held);

  await agent.stop();
  const next = await newClient(await stage.newAgent());

  const { store, warnings } = await statusOf(next);
  expect(store).toMatchObject({ state: "ok", keptAside: expect.stringContaining("lendbuf.db.corrupt-") });
  expect(warnings.join("\n")).toContain(store.keptAside!);
  expect((await next.must("audit.verify")).result).toMatchObject({ ok: true });
  await next.borrow({ buffer: "sim0/ddr" });
});

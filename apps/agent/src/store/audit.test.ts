import { copyFileSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type AuditRow, GENESIS, whoOf } from "@lendbuf/shared/audit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashOf } from "./chain.ts";
import type { AuditFilter } from "./condition.ts";
import { toEntry } from "./entry.ts";
import { exported } from "./export.ts";
import { heldAt } from "./holdings.ts";
import { MIGRATIONS } from "./migrations.ts";
import { dropOld, lastId } from "./retention.ts";
import { AuditSearch } from "./search.ts";
import { SPAN } from "./spans.ts";
import { type Draft, Store } from "./store.ts";
import { verifyAudit } from "./verify.ts";

let directory: string;
let store: Store;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-audit-"));
  store = new Store({ directory, durability: "NORMAL" });
});

afterEach(() => {
  store.close();
  rmSync(directory, { recursive: true, force: true });
});

/** One change of a delegation at some time. */
function record(at: number, id: number, state: string, more: Partial<Draft> & { patch?: object } = {}): void {
  const { patch, ...draft } = more;
  const subject = { delegation: id, buffer: "sim0/ch0", account: "uid:1000", state };
  const born = state === "offered" ? { id, device: "sim0", requestedAt: at, offeredAt: at } : {};
  const dead = state === "revoked" ? { endedAt: at, client: null } : {};
  const detail = { ...born, state, ...dead, ...patch };
  store.record({ at, actor: "uid:1000 pid:1", action: `delegation.${state}`, ...subject, ...draft, detail });
}

async function seqs(filter: AuditFilter, limit = 100): Promise<number[]> {
  return (await new AuditSearch(store).find(filter, limit)).map(({ seq }) => seq);
}

describe("a search of the audit", () => {
  it.each<[string, AuditFilter, number[]]>([
    ["by time", { from: 20, to: 40 }, [3, 2]],
    ["by account: what it did, and what is about its delegations", { account: "uid:2000" }, [5, 4]],
    ["by buffer, also of an entry about many", { buffer: "lab/b" }, [5, 4]],
    ["by delegation", { delegation: 1 }, [5, 3, 2, 1]],
    ["by device", { device: "sim1" }, [6, 5, 4]],
    ["by action", { action: "delegation.offered" }, [4, 1]],
    ["by kind of action", { action: "device" }, [6]],
    ["by words", { search: "PID:1  offered" }, [1]],
    ["by all together", { delegation: 1, from: 20, action: "delegation.active" }, [2]],
    ["forwards from a place", { after: 4 }, [5, 6]],
    ["backwards from a place", { before: 3 }, [2, 1]],
    ["of a delegation that never was", { delegation: 99 }, []],
  ])("finds %s", async (_, filter, expected) => {
    record(10, 1, "offered");
    record(20, 1, "active");
    record(30, 1, "revoking");
    const other = { buffer: "lab/b", account: "uid:2000", actor: "uid:2000 pid:9" };
    record(40, 2, "offered", { ...other, patch: { device: "sim1" } });
    const detail = { state: "revoked", endedAt: 50 };
    store.record({
      at: 50,
      actor: "agent",
      action: "delegation.revoked",
      delegations: [1, 2],
      state: "revoked",
      detail,
    });
    store.record({ at: 60, actor: "uid:0 pid:2", action: "device.suspended", detail: { device: "sim1" } });

    expect(await seqs(filter)).toEqual(expected);
  });

  it("finds the time over many spans, and where the clock was set back", async () => {
    const entries = 3 * SPAN;
    for (let i = 0; i < entries; i++) store.record({ at: 1000 + i, actor: "agent", action: "x", detail: {} });
    for (let i = 0; i < SPAN; i++) store.record({ at: 500 + i, actor: "agent", action: "x", detail: {} }); // set back

    const search = new AuditSearch(store);
    const find = async () => (await search.find({ from: 1100, to: 1103 }, 100)).map(({ seq }) => seq);
    const expected = [entries + 603, entries + 602, entries + 601, 103, 102, 101];

    expect(await find()).toEqual(expected);
    expect(await find()).toEqual(expected); // by what was learnt of the spans
    expect((await search.find({ from: 1100, to: 1103 }, 2)).map(({ seq }) => seq)).toEqual(expected.slice(0, 2));
  });

  it("tells who in parts, how and how long", () => {
    const proof = { method: "ftruncate", answer: "EBUSY", durationUs: 12 };
    record(1, 1, "offered");
    record(2, 1, "revoked", { actor: 'uid:7 pid:42 "my \\"cmd"', patch: { reason: "operator", proof } });

    const [row] = store.all<AuditRow>("SELECT * FROM audit ORDER BY seq DESC LIMIT 1");

    expect(toEntry(row!)).toMatchObject({
      who: { account: "uid:7", uid: 7, pid: 42, command: 'my "cmd', address: null },
      why: "operator",
      method: "ftruncate",
      errno: "EBUSY",
      durationUs: 12,
    });
    expect(whoOf("uid:0 token:0123456789ab 127.0.0.1:40112")).toMatchObject({ uid: 0, address: "127.0.0.1:40112" });
    expect(whoOf('alice uid:7 pid:42 "sh"')).toMatchObject({ account: "alice", uid: 7, pid: 42, command: "sh" });
    expect(whoOf("alice token:0123456789ab")).toMatchObject({ account: "alice", uid: null, pid: null });
    expect(whoOf("nobody [::1]:80")).toMatchObject({ account: null, address: "[::1]:80" });
    expect(whoOf("agent")).toMatchObject({ account: null, address: null });
  });
});

describe("who had a buffer", () => {
  const who = async (at: number) => {
    const found: [number, string, number | undefined][] = [];
    for await (const { id, state, client } of heldAt(store, "sim0/ch0", at)) found.push([id, state, client?.pid]);
    return found;
  };
  const client = (pid: number) => ({ patch: { client: { pid, uid: 1000, command: null } } });

  it("is told for every moment of a delegation's life", async () => {
    record(10, 1, "offered");
    record(20, 1, "active", client(7));
    record(30, 1, "revoking");
    record(40, 1, "revoked");
    record(40, 2, "offered");

    expect(await who(9)).toEqual([]);
    expect(await who(10)).toEqual([[1, "offered", undefined]]);
    expect(await who(29)).toEqual([[1, "active", 7]]);
    expect(await who(35)).toEqual([[1, "revoking", 7]]);
    expect(await who(40)).toEqual([[2, "offered", undefined]]);
    expect(await who(1e12)).toEqual([[2, "offered", undefined]]);
  });

  it("names the process of then where a kept one was claimed twice", async () => {
    record(10, 1, "offered");
    record(20, 1, "active", client(7));
    record(30, 1, "active", { action: "delegation.left", patch: { client: null } });
    record(40, 1, "active", client(8));

    expect([await who(25), await who(35), await who(45)]).toEqual([
      [[1, "active", 7]],
      [[1, "active", undefined]],
      [[1, "active", 8]],
    ]);
  });

  it("finds those that ended together with many, and of two whose time was twice both", async () => {
    record(100, 1, "offered");
    record(110, 1, "active", client(7));
    const detail = { state: "revoked", endedAt: 60, client: null }; // the clock was set back
    store.record({ at: 60, actor: "agent", action: "delegation.revoked", delegations: [1], state: "revoked", detail });
    record(70, 2, "offered");
    record(75, 2, "active", client(8));

    expect(await who(80)).toEqual([
      [2, "active", 8],
      [1, "active", 7],
    ]);
  });
});

describe("the chain", () => {
  const many = () => {
    for (let id = 1; id <= 5; id++) record(id, id, "offered");
  };

  it("says whether a head that was kept is still in it", async () => {
    many();
    const kept = { ...store.head };
    record(9, 9, "offered");

    expect(await verifyAudit(store, kept)).toMatchObject({ ok: true, entries: 6 });
    expect(await verifyAudit(store, { ...kept, hash: GENESIS })).toMatchObject({
      ok: false,
      broken: { seq: 5, problem: expect.stringContaining("rewritten") },
    });
    expect(await verifyAudit(store, { seq: 7, hash: kept.hash })).toMatchObject({
      ok: false,
      broken: { problem: expect.stringContaining("cut off") },
    });
  });

  it("is exported whole, in pieces, and each line verifies", async () => {
    many();
    const ids = Array.from({ length: 20_000 }, (_, i) => i + 1);
    store.record({
      at: 6,
      actor: "agent",
      action: "delegation.ending",
      delegations: ids,
      detail: { words: "=1+1,\"'" },
    });
    const pieces: string[] = [];
    for await (const { text } of exported(new AuditSearch(store).rows({}, "ASC"), "jsonl")) pieces.push(text);

    const lines = pieces.join("").trimEnd().split("\n");
    const rows = lines.map((line) => JSON.parse(line) as AuditRow & { previous: string | null });

    expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThanOrEqual(15_000);
    expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    for (const row of rows) expect(hashOf(row, row.previous ?? GENESIS)).toBe(row.hash);
  });

  it("is exported to spreadsheets without formulas", async () => {
    store.record({ at: 0, actor: "@SUM(1)", action: "'=x", buffer: '-a,"b"', detail: {} });

    let text = "";
    for await (const piece of exported(new AuditSearch(store).rows({}, "ASC"), "csv")) text += piece.text;

    expect(text.split("\r\n")[0]).toBe(
      "seq,time,at,actor,action,delegation,delegations,buffer,account,state,detail,previous,hash",
    );
    expect(text.split("\r\n")[1]).toBe(
      `1,1970-01-01T00:00:00.000Z,0,'@SUM(1),''=x,,,"'-a,""b""",,,{},,${store.head.hash}`,
    );
  });
});

describe("dropping by age", () => {
  /** What a start reads, from the tables. */
  const stateOf = (all: (sql: string) => unknown[]) => ({
    live: (all(LIVE) as { record: string }[]).map((row) => ({ ...row, record: JSON.parse(row.record) as unknown })),
    buffers: all("SELECT * FROM buffers ORDER BY name"),
    accounts: all("SELECT * FROM accounts ORDER BY name"),
    holds: all("SELECT * FROM holds ORDER BY buffer"),
    hooks: all("SELECT * FROM pending_hooks ORDER BY delegation"),
  });
  const LIVE =
    "SELECT id, state, buffer, account, record FROM delegations WHERE state NOT IN ('revoked', 'cancelled') ORDER BY id";

  /** The same from the entries alone, by the triggers. */
  function replayed(): ReturnType<typeof stateOf> {
    const Database = createRequire(import.meta.filename)("libsql") as typeof import("libsql");
    const other = new Database(":memory:");
    for (const step of MIGRATIONS) other.exec(step);
    const insert = other.prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (const row of store.all<AuditRow>("SELECT * FROM audit ORDER BY seq")) insert.run(Object.values(row));
    return stateOf((sql) => other.prepare(sql).all());
  }

  const now = () => stateOf((sql) => store.all(sql));

  function history(): void {
    for (const name of ["lab/a", "lab/b"])
      store.record({
        at: 1,
        actor: "uid:0 pid:1",
        action: "buffer.defined",
        buffer: name,
        detail: { name, region: 0 },
      });
    store.record({ at: 2, actor: "uid:0 pid:1", action: "buffer.removed", buffer: "lab/b", detail: {} });
    const account = { actor: "uid:0 pid:1", action: "account.defined", account: "alice", detail: { name: "alice" } };
    store.record({ at: 2, ...account });
    const held = { actor: "agent", action: "buffer.held", buffer: "lab/a", detail: { reason: "its hook failed" } };
    store.record({ at: 2, ...held });
    const ended = [{ delegation: 900, buffer: "lab/a" }];
    store.record({ at: 2, actor: "agent", action: "hooks.pending", detail: { ended } });
    record(10, 1, "offered");
    record(11, 1, "active", { patch: { claimedAt: 11, client: { pid: 7, uid: 1, command: "x" } } });
    for (let id = 2; id <= 450; id++) {
      record(20, id, "offered");
      record(21, id, "revoked", { patch: { reason: "released" } });
    }
    record(100, 1, "active", { action: "delegation.extended", patch: { expiresAt: 999 } });
    record(100, 451, "offered");
    record(101, 451, "revoked");
  }

  it("leaves what lives as it is, and the rest replays to the same", async () => {
    history();
    const before = now();

    const dropped = await dropOld(store, 50, [1]);

    expect(dropped).toBe(6 + 2 + 2 * 449);
    expect(now()).toEqual(before);
    expect(replayed()).toEqual(before);
    expect(store.all("SELECT id FROM delegation_records ORDER BY id")).toEqual([{ id: 1 }, { id: 451 }]);
    expect(await verifyAudit(store)).toMatchObject({ ok: true, anchor: { seq: dropped }, entries: 9 });
    expect(store.tail).toBe(dropped + 1);
  });

  it("tells still who has it since before, and reuses no id", async () => {
    history();
    record(120, 452, "offered", { buffer: "other" });
    record(121, 452, "revoked", { buffer: "other" });
    await dropOld(store, 200, [1]);

    const held: unknown[] = [];
    for await (const { id, from, client } of heldAt(store, "sim0/ch0", 50)) held.push([id, from, client?.pid]);

    expect(held).toEqual([[1, 11, 7]]);
    expect(store.all("SELECT id FROM delegations")).toEqual([{ id: 1 }]);
    expect(lastId(store)).toBe(452);
  });

  it("drops nothing that is not older, nor for its own entries' sake", async () => {
    history();
    await dropOld(store, 50, [1]);
    const { head } = store;

    expect(await dropOld(store, 50, [1])).toBe(0);
    expect(store.head).toEqual(head);
  });

  it("keeps an older entry behind a newer one", async () => {
    record(100, 1, "offered");
    record(10, 2, "offered");

    expect(await dropOld(store, 50, [1, 2])).toBe(0);
  });

  it.each([0, 1, 2, 5, 8])("goes on where it was interrupted, after %i steps", async (steps) => {
    history();
    const before = now();
    await interrupted(steps);

    expect(now()).toEqual(before);
    expect(replayed()).toEqual(before);
    expect(await verifyAudit(store)).toMatchObject({ ok: true });

    await dropOld(store, 50, [1]);

    expect(store.all("SELECT min(seq) AS first FROM audit")).toEqual([{ first: store.tail }]);
    expect(now()).toEqual(before);
    expect(replayed()).toEqual(before);
    expect(await verifyAudit(store)).toMatchObject({ ok: true, anchor: { seq: 906 } });
  });

  /** As by a crash: what comes after so many steps never happens. */
  async function interrupted(steps: number): Promise<void> {
    let left = steps;
    const run = store.run.bind(store);
    store.run = (sql, ...values) => {
      if (left-- <= 0) throw new Error("crash");
      return run(sql, ...values);
    };
    await expect(dropOld(store, 50, [1])).rejects.toThrow("crash");
    store.run = run;
  }

  it("is all that may delete", async () => {
    history();
    await dropOld(store, 50, [1]);

    expect(() => store.run("DELETE FROM audit WHERE seq = ?", store.head.seq)).toThrow("append-only");
    expect(() => store.run("UPDATE audit SET at = 0 WHERE seq = ?", store.head.seq)).toThrow("append-only");
  });

  it("is found out where no entry says so", async () => {
    history();
    store.run("INSERT INTO audit_anchor SELECT 1, seq, hash, 0 FROM audit WHERE seq = 5");
    store.run("DELETE FROM audit WHERE seq <= 5");
    store.close();
    store = new Store({ directory: copy(), durability: "NORMAL" });

    expect(await verifyAudit(store)).toMatchObject({
      ok: false,
      broken: { problem: expect.stringContaining("no entry says that they were dropped") },
    });
  });

  /** libsql keeps a closed database's locks for a while. */
  function copy(): string {
    const to = mkdtempSync(join(directory, "copy-"));
    for (const file of readdirSync(directory).filter((name) => name.startsWith("lendbuf.db")))
      copyFileSync(join(directory, file), join(to, file));
    return to;
  }
});

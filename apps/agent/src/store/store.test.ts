import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { AuditSearch } from "./search.ts";
import { type Draft, Store } from "./store.ts";
import { verifyAudit } from "./verify.ts";

let directory: string;
let store: Store | undefined;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "lendbuf-store-"));
});

afterEach(() => {
  store?.close();
  store = undefined;
  rmSync(directory, { recursive: true, force: true });
});

/** Runs a script in a process of its own, as an earlier agent would be: libsql keeps a closed database's locks until its statements are collected. */
function earlier(script: string): void {
  execFileSync(process.execPath, ["--input-type=module", "-e", prelude() + script], {
    stdio: ["ignore", "inherit", "inherit"],
  });
}

function prelude(): string {
  return `import { createRequire } from "node:module";
    import { Store } from ${JSON.stringify(bundle)};
    const Database = createRequire(${JSON.stringify(import.meta.filename)})("libsql");
    const directory = ${JSON.stringify(directory)};
    const path = directory + "/lendbuf.db";
    const open = () => new Store({ directory, durability: "NORMAL" });
    ${draft.toString()}
  `;
}

let bundle: string;

beforeAll(async () => {
  bundle = join(mkdtempSync(join(tmpdir(), "lendbuf-bundle-")), "store.mjs");
  const { build } = await import("esbuild");
  await build({
    entryPoints: [join(import.meta.dirname, "store.ts")],
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: bundle,
    alias: { libsql: createRequire(import.meta.url).resolve("libsql") },
    external: ["@libsql/*"],
    banner: {
      js: `import { createRequire } from "node:module"; const require = createRequire(${JSON.stringify(import.meta.filename)});`,
    },
  });
});

afterAll(() => rmSync(dirname(bundle), { recursive: true }));

function open(): Store {
  store = new Store({ directory, durability: "NORMAL" });
  return store;
}

function draft(id: number, state = "offered", detail: object = {}): Draft {
  const subject = { delegation: id, buffer: "sim0/ch0", account: "uid:1000", state };
  return {
    at: 1_000 + id,
    actor: "uid:1000 pid:1",
    action: `delegation.${state}`,
    ...subject,
    detail: { id, state, ...detail },
  };
}

function recordOf(opened: Store, id: number): unknown {
  const [row] = opened.all<{ record: string }>("SELECT record FROM delegation_records WHERE id = ?", id);
  return row && JSON.parse(row.record);
}

describe("a store", () => {
  it("keeps state and audit row together over a restart", async () => {
    earlier(
      'const s = open(); s.record(draft(1, "offered", { purpose: "test" })); s.record(draft(1, "active", { client: { pid: 7 } }));',
    );

    const again = open();

    expect(recordOf(again, 1)).toEqual({ id: 1, state: "active", purpose: "test", client: { pid: 7 } });
    expect((await new AuditSearch(again).find({}, 10)).map(({ seq, action }) => [seq, action])).toEqual([
      [2, "delegation.active"],
      [1, "delegation.offered"],
    ]);
  });

  it("removes a field that a change sets to null", () => {
    open().record(draft(1, "active", { client: { pid: 7 } }));

    store!.record(draft(1, "revoked", { client: null }));

    expect(recordOf(store!, 1)).toEqual({ id: 1, state: "revoked" });
  });

  it("ends many with one row", async () => {
    open();
    for (const id of [1, 2, 3]) store!.record(draft(id, "active"));

    store!.record({
      at: 1,
      actor: "agent",
      action: "delegation.revoked",
      delegations: [1, 3],
      state: "revoked",
      detail: { state: "revoked" },
    });

    expect([1, 2, 3].map((id) => (recordOf(store!, id) as { state: string }).state)).toEqual([
      "revoked",
      "active",
      "revoked",
    ]);
    expect(await new AuditSearch(store!).find({ delegation: 3 }, 10)).toHaveLength(2);
    expect(await new AuditSearch(store!).find({ delegation: 2 }, 10)).toHaveLength(1);
  });

  it("survives SIGKILL of its process in the middle of writing, each row whole", async () => {
    const endless = `const s = open();
      for (let id = 1; ; id++) {
        s.record(draft(id, "active"));
        if (id % 100 === 0) process.stdout.write(id + "\\n");
      }`;
    const writer = spawn(process.execPath, ["--input-type=module", "-e", prelude() + endless], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    let written = 0;
    for await (const chunk of writer.stdout) {
      written = Number(String(chunk).trim().split("\n").at(-1));
      if (written >= 500) break;
    }
    const exited = once(writer, "exit");
    writer.kill("SIGKILL");
    await exited;

    open();

    const [{ rows }] = store!.all<{ rows: number }>("SELECT count(*) AS rows FROM delegations") as [{ rows: number }];
    expect(rows).toBeGreaterThanOrEqual(written);
    expect(store!.head.seq).toBe(rows);
    expect(await verifyAudit(store!)).toMatchObject({ ok: true, entries: rows });
  });
});

describe("the audit", () => {
  const FIVE = "const s = open(); for (let id = 1; id <= 5; id++) s.record(draft(id)); s.close();";

  it("verifies what was written", async () => {
    earlier(FIVE);
    open();

    expect(await verifyAudit(store!)).toEqual({
      ok: true,
      entries: 5,
      head: store!.head.hash,
      anchor: null,
      broken: null,
    });
  });

  it.each([
    ["a changed detail", "UPDATE audit SET detail = '{}' WHERE seq = 3", 3],
    ["a changed time", "UPDATE audit SET at = at + 1 WHERE seq = 2", 2],
    ["a removed entry", "DELETE FROM audit WHERE seq = 4", 5],
    ["a changed actor", "UPDATE audit SET actor = 'nobody' WHERE seq = 1", 1],
  ])("finds %s", async (_, sql, seq) => {
    earlier(FIVE);
    earlier(
      `new Database(path).exec("DROP TRIGGER audit_is_append_only_update; DROP TRIGGER audit_is_append_only_delete; ${sql}")`,
    );
    open();

    expect(await verifyAudit(store!)).toMatchObject({ ok: false, broken: { seq } });
  });

  it.each(["UPDATE audit SET actor = 'nobody'", "DELETE FROM audit"])("cannot be changed through SQL: %s", (sql) => {
    open().record(draft(1));

    expect(() => store!.all(sql)).toThrow("append-only");
  });
});

describe("a store that fails", () => {
  it("refuses grants while the disk is full, keeps ends for later, and goes on by itself", () => {
    open().record(draft(1, "active"));
    fill(store!);
    let refused: unknown;
    try {
      for (let id = 2; id < 2000; id++) store!.record(draft(id, "offered", { purpose: "x".repeat(200) }));
    } catch (error) {
      refused = error;
    }
    const written: string[] = [];

    const isWritten = store!.recordLater(draft(1, "revoked"), () => written.push("revoked"));

    expect(refused).toMatchObject({ code: "STORE_READ_ONLY", message: expect.stringContaining("full") });
    expect(isWritten).toBe(false);
    expect(store!.unwritten).toBe(1);
    expect(store!.retry()).toBe(false);

    unfill(store!);

    expect(store!.retry()).toBe(true);
    expect(written).toEqual(["revoked"]);
    expect(store!.problem).toBeNull();
    expect(recordOf(store!, 1)).toMatchObject({ state: "revoked" });
  });

  it("puts a corrupt database aside, whole, and begins anew", () => {
    const garbage = Buffer.alloc(40_960, "this is no database ");
    writeFileSync(join(directory, "lendbuf.db"), garbage);

    open();

    expect(store!.problem).toBeNull();
    expect(store!.keptAside).toMatch(/lendbuf\.db\.corrupt-/);
    expect(readFileSync(store!.keptAside!)).toEqual(garbage);
    expect(store!.head.seq).toBe(0);
    store!.record(draft(1));
  });

  it("says so and waits while another program has the database locked", async () => {
    earlier("open().record(draft(1))");
    const lock =
      'const db = new Database(path); db.pragma("locking_mode = EXCLUSIVE"); db.exec("BEGIN EXCLUSIVE"); console.log("locked"); process.stdin.resume();';
    const other = spawn(process.execPath, ["--input-type=module", "-e", prelude() + lock], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    await once(other.stdout, "data");

    open();

    expect(store!.problem).toContain("locked");
    expect(() => store!.record(draft(2))).toThrow(expect.objectContaining({ code: "STORE_READ_ONLY" }));
    expect(store!.retry()).toBe(false);

    const exited = once(other, "exit");
    other.stdin.end();
    await exited;

    expect(store!.retry()).toBe(true);
    expect(recordOf(store!, 1)).toBeDefined();
    store!.record(draft(2));
  });

  it("says so where the folder cannot be written", ({ skip }) => {
    skip(
      process.getuid!() === 0,
      "root writes everywhere; apps/agent/test/store-failures.test.ts does this as an ordinary user",
    );
    chmodSync(directory, 0o500);

    open();

    expect(store!.problem).toContain("cannot be written");
    chmodSync(directory, 0o700);
    expect(store!.retry()).toBe(true);
  });

  it("does not touch a database of a newer agent", () => {
    earlier("open().record(draft(1))");
    earlier('new Database(path).pragma("user_version = 99")');

    open();

    expect(store!.problem).toContain("version 99");
    expect(store!.retry()).toBe(false);
    expect(store!.problem).toContain("version 99");
    expect(readdirSync(directory).filter((name) => name.includes("corrupt"))).toEqual([]);
  });
});

/** SQLite's own limit on the file answers as a full disk does. */
function fill(opened: Store): void {
  opened.all("PRAGMA max_page_count = 1");
}

function unfill(opened: Store): void {
  opened.all("PRAGMA max_page_count = 1000000");
}

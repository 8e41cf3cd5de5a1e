import { accessSync, constants, mkdirSync, renameSync, statSync } from "node:fs";
import { join } from "node:path";
import { type AuditHead, type AuditRow, GENESIS } from "@lendbuf/shared/audit";
import { AgentError } from "@lendbuf/shared/errors";
import Database from "libsql";
import { hashOf } from "./chain.ts";
import { MIGRATIONS } from "./migrations.ts";

/** What is to be recorded: one decision. The row's place in the chain is found when it is written. */
export interface Draft {
  at: number;
  actor: string;
  action: string;
  delegation?: number;
  delegations?: number[];
  buffer?: string;
  account?: string;
  state?: string | undefined;
  detail: object;
}

export interface StoreOptions {
  directory: string;
  durability: "NORMAL" | "FULL";
  /** Makes us the folder's only agent, or throws; before each attempt to open. */
  takeLock?: () => void;
}

type Sql = InstanceType<typeof Database>;
type Statement = ReturnType<Sql["prepare"]>;

const FILE = "lendbuf.db";

class NewerDatabase extends Error {
  readonly version: number;

  constructor(version: number) {
    super("newer database");
    this.version = version;
  }
}

/**
 * The agent's memory on disk. `record` is durable when it returns (it survives SIGKILL; with FULL, a power cut) or throws
 * STORE_READ_ONLY and has changed nothing. `recordLater` never throws: what cannot be written now is kept and written first of all later.
 */
export class Store {
  readonly #options: StoreOptions;
  #db: Sql | undefined;
  #insert: Statement | undefined;
  #head: AuditHead = { seq: 0, hash: GENESIS };
  #anchor: AuditHead | null = null;
  #unwritten: { draft: Draft; written: () => void }[] = [];
  /** A newer agent's: nothing that happens while we run makes it ours. */
  #isForeign = false;
  /** Why nothing can be written, and what to do; null while all is well. */
  problem: string | null = null;
  /** Where a corrupt database was put when this store was opened. */
  keptAside: string | null = null;
  /** Called with each row that has become durable. */
  onRow: (row: AuditRow) => void = () => {};

  /** Called with the milliseconds that each row took. */
  onWrite: (ms: number) => void = () => {};

  constructor(options: StoreOptions) {
    this.#options = options;
    this.#tryOpen();
  }

  get unwritten(): number {
    return this.#unwritten.length;
  }

  /** The newest row's place and hash. */
  get head(): Readonly<AuditHead> {
    return this.#head;
  }

  /** The newest of the rows that were dropped by age; null where none was. */
  get anchor(): Readonly<AuditHead> | null {
    return this.#anchor;
  }

  /** The place of the oldest row that is kept. */
  get tail(): number {
    return (this.#anchor?.seq ?? 0) + 1;
  }

  /** @throws AgentError STORE_READ_ONLY */
  record(draft: Draft): void {
    this.#flush();
    this.#write(draft);
  }

  /** A row and one more statement, for what must not stand in the audit; both or neither. @throws AgentError STORE_READ_ONLY */
  recordWith(draft: Draft, sql: string, ...values: (string | number)[]): void {
    this.#flush();
    if (!this.#db) throw this.#refusal();
    const head = this.#head;
    try {
      this.#db.exec("BEGIN IMMEDIATE");
      this.#db.prepare(sql).run(values);
      this.#write(draft);
      this.#db.exec("COMMIT");
    } catch (cause) {
      this.#head = head;
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      if (cause instanceof AgentError) throw cause;
      this.problem = this.#describe(cause);
      throw this.#refusal(cause);
    }
  }

  /** For what has happened already, as an end has: `written` is called once it is on disk, which may be now. */
  recordLater(draft: Draft, written: () => void = () => {}): boolean {
    try {
      this.record(draft);
    } catch {
      this.#unwritten.push({ draft, written });
      return false;
    }
    written();
    return true;
  }

  /** Tries to write what could not be written; true if nothing is left and new grants can be taken. */
  retry(): boolean {
    if (!this.problem && this.#unwritten.length === 0) return true;
    if (!this.#db && !this.#isForeign) this.#tryOpen();
    try {
      this.#flush();
      this.#probe();
      return true;
    } catch {
      return false;
    }
  }

  /** Reads rows; none where the database cannot be read. */
  all<Row>(sql: string, ...values: (string | number)[]): Row[] {
    if (!this.#db) return [];
    return this.#db.prepare(sql).all(...values) as Row[];
  }

  /** Changes what the audit does not tell; answers how many rows. @throws what SQLite answers */
  run(sql: string, ...values: (string | number)[]): number {
    return this.#db ? Number(this.#db.prepare(sql).run(values).changes) : 0;
  }

  *iterate<Row>(sql: string, ...values: (string | number)[]): Iterable<Row> {
    if (this.#db) yield* this.#db.prepare(sql).iterate(...values) as Iterable<Row>;
  }

  close(): void {
    try {
      this.#flush();
    } catch {
      // Said in `problem` already; the next start finds these ends as agent-restart.
    }
    this.#db?.close();
    this.#db = undefined;
  }

  #flush(): void {
    while (this.#unwritten.length > 0) {
      const { draft, written } = this.#unwritten[0]!;
      this.#write(draft);
      this.#unwritten.shift();
      written();
    }
  }

  #write(draft: Draft): void {
    if (!this.#db || !this.#insert) throw this.#refusal();
    const row: AuditRow = {
      seq: this.#head.seq + 1,
      at: draft.at,
      actor: draft.actor,
      action: draft.action,
      delegation: draft.delegation ?? null,
      delegations: draft.delegations ? JSON.stringify(draft.delegations) : null,
      buffer: draft.buffer ?? null,
      account: draft.account ?? null,
      state: draft.state ?? null,
      detail: JSON.stringify(draft.detail),
      hash: "",
    };
    row.hash = hashOf(row, this.#head.hash);
    const start = performance.now();
    try {
      this.#insert.run([
        row.seq,
        row.at,
        row.actor,
        row.action,
        row.delegation,
        row.delegations,
        row.buffer,
        row.account,
        row.state,
        row.detail,
        row.hash,
      ]);
    } catch (cause) {
      this.problem = this.#describe(cause);
      throw this.#refusal(cause);
    }
    this.onWrite(performance.now() - start);
    this.problem = null;
    this.#head = { seq: row.seq, hash: row.hash };
    if (row.action === "audit.anchored") this.#readAnchor(this.#db);
    this.onRow(row);
  }

  /** Whether a write would succeed, without leaving one. */
  #probe(): void {
    if (!this.#db) throw this.#refusal();
    if (!this.problem) return;
    try {
      this.#db.exec(
        "BEGIN IMMEDIATE; CREATE TABLE probe (page TEXT); INSERT INTO probe VALUES (hex(zeroblob(8192))); ROLLBACK",
      );
      this.problem = null;
    } catch (cause) {
      if (this.#db.inTransaction) this.#db.exec("ROLLBACK");
      this.problem = this.#describe(cause);
      throw this.#refusal(cause);
    }
  }

  #refusal(cause?: unknown): AgentError {
    return new AgentError("STORE_READ_ONLY", `Nothing new can be lent: ${this.problem}`, { cause });
  }

  #tryOpen(): void {
    try {
      this.#open();
    } catch (cause) {
      this.#db?.close();
      this.#db = undefined;
      this.#isForeign = cause instanceof NewerDatabase;
      if (isCorrupt(cause) && !this.keptAside) return this.#putAside(cause);
      this.problem = this.#describe(cause);
    }
  }

  #open(): void {
    const { directory, durability } = this.#options;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    // libsql reports what it cannot open without saying why.
    accessSync(directory, constants.R_OK | constants.W_OK | constants.X_OK);
    this.#options.takeLock?.();
    const path = join(directory, FILE);
    if (statSync(path, { throwIfNoEntry: false })) accessSync(path, constants.R_OK | constants.W_OK);
    const db = new Database(path);
    this.#db = db;
    db.pragma("busy_timeout = 0");
    db.pragma("locking_mode = EXCLUSIVE");
    db.pragma("journal_mode = WAL");
    db.pragma(`synchronous = ${durability}`);
    migrate(db);
    const [last] = db.prepare("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").all() as AuditRow[];
    this.#head = last ? { seq: last.seq, hash: last.hash } : { seq: 0, hash: GENESIS };
    this.#readAnchor(db);
    // Read what a start needs, so that damage there shows now, while the file can still be put aside.
    db.prepare("SELECT count(*) FROM delegations WHERE state IN ('waiting', 'offered', 'active', 'revoking')").all();
    db.prepare("SELECT count(*) FROM buffers").all();
    this.#insert = db.prepare("INSERT INTO audit VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    this.problem = null;
  }

  #readAnchor(db: Sql): void {
    const [anchor] = db.prepare("SELECT seq, hash FROM audit_anchor").all() as AuditHead[];
    this.#anchor = anchor ? { seq: anchor.seq, hash: anchor.hash } : null;
  }

  /** Starts anew beside a database that cannot be read; its files are kept for whoever can. */
  #putAside(cause: unknown): void {
    const aside = join(this.#options.directory, `${FILE}.corrupt-${new Date().toISOString().replace(/[:.]/g, "-")}`);
    try {
      for (const suffix of ["-wal", "-shm", ""]) {
        const path = join(this.#options.directory, `${FILE}${suffix}`);
        if (statSync(path, { throwIfNoEntry: false })) renameSync(path, `${aside}${suffix}`);
      }
    } catch (failure) {
      this.problem = `the database is corrupt (${(cause as Error).message}) and cannot be put aside: ${this.#describe(failure)}`;
      return;
    }
    this.keptAside = aside;
    this.#tryOpen();
  }

  #describe(cause: unknown): string {
    if (cause instanceof NewerDatabase)
      return `${join(this.#options.directory, FILE)} has version ${cause.version}, this agent knows ${MIGRATIONS.length}. Use the newer agent that wrote it.`;
    const { code = "", message = "" } = cause as { code?: string; message?: string };
    const where = this.#options.directory;
    if (code === "SQLITE_FULL" || code === "ENOSPC")
      return `the disk of ${where} is full. Free some space; it goes on by itself.`;
    if (code === "SQLITE_BUSY" || code === "SQLITE_LOCKED" || /locked|: 5\b/.test(message)) {
      return `another program has locked ${join(where, FILE)}. End it; it goes on by itself.`;
    }
    if (code === "EROFS" || code === "EACCES" || code === "EPERM" || code.startsWith("SQLITE_READONLY")) {
      return `${where} cannot be written (${code}). Make it writable for uid ${process.getuid?.()}; it goes on by itself.`;
    }
    if (isCorrupt(cause)) {
      return `${join(where, FILE)} is corrupt (${message}). Restart the agent: it puts the file aside and begins a new one.`;
    }
    return `the store in ${where} fails (${code || "no code"}: ${message}). It is tried again every second.`;
  }
}

function isCorrupt(cause: unknown): boolean {
  const code = (cause as { code?: string }).code ?? "";
  return code.startsWith("SQLITE_CORRUPT") || code === "SQLITE_NOTADB";
}

function migrate(db: Sql): void {
  const [{ user_version: version }] = db.prepare("PRAGMA user_version").all() as [{ user_version: number }];
  if (version > MIGRATIONS.length) {
    throw new NewerDatabase(version);
  }
  MIGRATIONS.slice(version).forEach((step, index) => {
    db.exec(`BEGIN IMMEDIATE; ${step}; PRAGMA user_version = ${version + index + 1}; COMMIT`);
  });
}

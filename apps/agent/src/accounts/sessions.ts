import { AgentError } from "@lendbuf/shared/errors";
import type { Session } from "@lendbuf/shared/session";
import type { Store } from "../store/store.ts";
import { fitsHash, hashSecret, newId, newSecret } from "./secret.ts";

const LINK_LIFE_MS = 10 * 60_000;
const SESSION_LIFE_MS = 7 * 86_400_000;
const MAX_LINKS_PER_ACCOUNT = 10;
const MAX_SESSIONS_PER_ACCOUNT = 100;

interface Row {
  id: string;
  account: string;
  secret_hash: string;
  key_hash: string;
  created_at: number;
  expires_at: number;
}

/** What a browser gets; the store has the hashes. */
export interface Opened {
  cookie: string;
  key: string;
  expiresAt: number;
}

/** The browsers that may come in. A session is a cookie and a key: the cookie alone goes to every port of this host, the key to none. */
export class Sessions {
  readonly #store: Store;
  /** By the hash of their secrets; gone with the agent, and after one use. */
  readonly #links = new Map<string, { account: string; expiresAt: number }>();
  readonly #rows = new Map<string, Row>();
  /** Ended, and the store could not be told; with the one who did it. */
  readonly #untold = new Map<string, { account: string; actor: string }>();
  /** Called when a session has ended, so that its connections end too. */
  onEnd: (id: string) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
    this.load();
  }

  /** Takes up those that the store knows: browsers stay signed in over a restart. Those that ended while it could not be told are no more. */
  load(): void {
    for (const [id, end] of this.#untold) {
      try {
        this.#tellEnd(id, end);
      } catch {
        break; // tried again when the store is
      }
    }
    for (const row of this.#store.all<Row>("SELECT * FROM sessions WHERE expires_at > ?", Date.now()))
      if (!this.#untold.has(row.id)) this.#rows.set(row.id, row);
  }

  createLink(account: string): { secret: string; expiresAt: number } {
    const now = Date.now();
    for (const [hash, link] of this.#links) if (link.expiresAt <= now) this.#links.delete(hash);
    const unused = [...this.#links.values()].filter((link) => link.account === account).length;
    if (unused >= MAX_LINKS_PER_ACCOUNT)
      throw new AgentError(
        "LIMIT",
        `${account} has ${unused} unused login links, the most it may have. Use one, or wait: each lives for ten minutes.`,
      );
    const secret = newSecret();
    const expiresAt = now + LINK_LIFE_MS;
    this.#links.set(hashSecret(secret), { account, expiresAt });
    return { secret, expiresAt };
  }

  /** An account's unused links are good for nothing any more. */
  dropLinks(account: string): void {
    for (const [hash, link] of this.#links) if (link.account === account) this.#links.delete(hash);
  }

  /** Uses a link up. Undefined where it is unknown, used, or too old. @throws AgentError STORE_READ_ONLY, LIMIT */
  open(linkSecret: string, address: string): Opened | undefined {
    const hash = hashSecret(linkSecret);
    const link = this.#links.get(hash);
    if (!link || link.expiresAt <= Date.now()) return undefined;
    const opened = this.start(link.account, "link", address);
    this.#links.delete(hash);
    return opened;
  }

  /** For one who has proven to be this account. @throws AgentError STORE_READ_ONLY, LIMIT */
  start(account: string, by: "link" | "password" | "oidc", address: string): Opened {
    if (this.list(account).length >= MAX_SESSIONS_PER_ACCOUNT) {
      throw new AgentError(
        "LIMIT",
        `${account} has ${MAX_SESSIONS_PER_ACCOUNT} sessions, the most it may have. End some.`,
      );
    }
    const [secret, key] = [newSecret(), newSecret()];
    const now = Date.now();
    const row: Row = {
      id: newId(),
      account,
      secret_hash: hashSecret(secret),
      key_hash: hashSecret(key),
      created_at: now,
      expires_at: now + SESSION_LIFE_MS,
    };
    this.#store.recordWith(
      {
        at: now,
        actor: `${account} session:${row.id} ${address}`,
        action: "session.opened",
        account,
        detail: { session: row.id, by },
      },
      "INSERT INTO sessions VALUES (?, ?, ?, ?, ?, ?)",
      ...Object.values(row),
    );
    for (const old of this.#rows.values()) if (old.expires_at <= now) this.#rows.delete(old.id);
    this.#rows.set(row.id, row);
    return { cookie: `${row.id}.${secret}`, key, expiresAt: row.expires_at };
  }

  /** The session of a cookie, whose key is still to be checked. */
  ofCookie(cookie: string | undefined): Session | undefined {
    const [id = "", secret = ""] = cookie?.split(".") ?? [];
    const row = this.#rows.get(id);
    if (!row || row.expires_at <= Date.now() || !fitsHash(secret, row.secret_hash)) return undefined;
    return show(row);
  }

  hasKey(id: string, key: unknown): boolean {
    const row = this.#rows.get(id);
    return row !== undefined && typeof key === "string" && fitsHash(key, row.key_hash);
  }

  /** Of one account, or of all. */
  list(account?: string): Session[] {
    return [...this.#rows.values()]
      .filter((row) => row.expires_at > Date.now() && (account === undefined || row.account === account))
      .map(show);
  }

  end(id: string, actor: string): void {
    const row = this.#rows.get(id);
    if (!row) return;
    // Ending a session never waits for the store.
    this.#rows.delete(id);
    this.onEnd(id);
    const end = { account: row.account, actor };
    this.#untold.set(id, end);
    this.#tellEnd(id, end);
  }

  /** All of an account's, and its unused links; `except` one. What the store cannot be told now is made up for later. */
  endAll(account: string, actor: string, except?: string | null): void {
    this.dropLinks(account);
    for (const { id } of this.list(account)) {
      if (id === except) continue;
      try {
        this.end(id, actor);
      } catch (cause) {
        if (!(cause instanceof AgentError)) throw cause;
      }
    }
  }

  #tellEnd(id: string, { account, actor }: { account: string; actor: string }): void {
    this.#store.recordWith(
      { at: Date.now(), actor, action: "session.ended", account, detail: { session: id } },
      "DELETE FROM sessions WHERE id = ?",
      id,
    );
    this.#untold.delete(id);
  }
}

function show(row: Row): Session {
  return { id: row.id, account: row.account, createdAt: row.created_at, expiresAt: row.expires_at, isCurrent: false };
}

import { AgentError } from "@lendbuf/shared/errors";
import type { Scope } from "@lendbuf/shared/role";
import type { Token } from "@lendbuf/shared/session";
import type { Store } from "../store/store.ts";
import { fitsHash, hashSecret, newId, newSecret } from "./secret.ts";

const PREFIX = "lendbuf";
const MAX_PER_ACCOUNT = 100;

interface Row {
  id: string;
  account: string;
  name: string;
  secret_hash: string;
  created_at: number;
  expires_at: number;
  scope: Scope;
}

export interface TokenWish {
  account: string;
  name: string;
  scope: Scope;
  lifeMs: number;
}

/** The ways in for scripts over HTTP: `Authorization: Bearer lendbuf_ID_SECRET`. */
export class Tokens {
  readonly #store: Store;
  /** Removed, and the store could not be told. */
  readonly #untold = new Map<string, { account: string; actor: string }>();
  /** Called when one was removed, so that its connections end too. */
  onEnd: (id: string) => void = () => {};

  constructor(store: Store) {
    this.#store = store;
  }

  /** The secret is in the answer and nowhere else. @throws AgentError STORE_READ_ONLY, LIMIT */
  create({ account, name, scope, lifeMs }: TokenWish, actor: string): Token & { token: string } {
    if (this.list(account).length >= MAX_PER_ACCOUNT)
      throw new AgentError("LIMIT", `${account} has ${MAX_PER_ACCOUNT} tokens, the most it may have. Remove some.`);
    const secret = newSecret();
    const now = Date.now();
    const row: Row = {
      id: newId(),
      account,
      name,
      secret_hash: hashSecret(secret),
      created_at: now,
      expires_at: now + lifeMs,
      scope,
    };
    this.#store.recordWith(
      {
        at: now,
        actor,
        action: "token.created",
        account,
        detail: { token: row.id, name, scope, expiresAt: row.expires_at },
      },
      "INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?, ?)",
      ...Object.values(row),
    );
    return { ...show(row), token: `${PREFIX}_${row.id}_${secret}` };
  }

  /** The token of an Authorization header. */
  ofHeader(header: string | undefined): Token | undefined {
    const [, id = "", secret = ""] = header?.match(/^Bearer lendbuf_([0-9a-f]{12})_([\w-]{43})$/) ?? [];
    const [row] = id
      ? this.#store.all<Row>("SELECT * FROM tokens WHERE id = ? AND expires_at > ?", id, Date.now())
      : [];
    return row && !this.#untold.has(id) && fitsHash(secret, row.secret_hash) ? show(row) : undefined;
  }

  /** Of one account, or of all. */
  list(account?: string): Token[] {
    const rows = this.#store.all<Row>("SELECT * FROM tokens WHERE expires_at > ? ORDER BY created_at", Date.now());
    return rows
      .filter((row) => !this.#untold.has(row.id) && (account === undefined || row.account === account))
      .map(show);
  }

  /** It is of no use from now on, also where this throws. @throws AgentError STORE_READ_ONLY */
  remove(id: string, account: string, actor: string): void {
    this.#untold.set(id, { account, actor });
    this.onEnd(id);
    this.#tellRemoved(id, { account, actor });
  }

  /** Tells the store what it could not be told. */
  load(): void {
    for (const [id, removal] of this.#untold) {
      try {
        this.#tellRemoved(id, removal);
      } catch {
        break; // tried again when the store is
      }
    }
  }

  #tellRemoved(id: string, { account, actor }: { account: string; actor: string }): void {
    this.#store.recordWith(
      { at: Date.now(), actor, action: "token.removed", account, detail: { token: id } },
      "DELETE FROM tokens WHERE id = ?",
      id,
    );
    this.#untold.delete(id);
  }
}

function show({ id, name, account, scope, created_at, expires_at }: Row): Token {
  return { id, name, account, scope, createdAt: created_at, expiresAt: expires_at };
}

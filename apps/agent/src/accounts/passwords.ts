import { AgentError } from "@lendbuf/shared/errors";
import type { Deadlines } from "../clock/deadlines.ts";
import type { Store } from "../store/store.ts";
import type { Accounts } from "./accounts.ts";
import { Argon, decoyHash } from "./argon.ts";
import { Guesses } from "./guesses.ts";

/** One source's guesses at one account: nobody else's delay its owner. */
const AT_ONE_ACCOUNT = { free: 5, mostMs: 15 * 60_000 };
/** At whatever accounts. */
const OF_ONE_SOURCE = { free: 20, mostMs: 60_000 };

interface Row {
  account: string;
  hash: string;
  must_change: number;
}

export type Checked =
  | { state: "right"; account: string; mustChange: boolean }
  /** Also where there is no such account, or it has no password or no way in: who asks is not told which. */
  | { state: "wrong" }
  | { state: "wait"; waitMs: number };

export interface PasswordWish {
  account: string;
  password: string;
  /** Somebody else chose it: its owner chooses another at the first login. */
  mustChange: boolean;
  actor: string;
  /** Whose work the hashing is. */
  source: string;
  /** Asked once it has been hashed, for much may have happened meanwhile. */
  isStillWanted: () => boolean;
}

/** The passwords by which accounts come in over HTTP, as argon2id hashes that stand in the store's own table and nowhere else. */
export class Passwords {
  readonly #store: Store;
  readonly #accounts: Accounts;
  readonly #argon = new Argon();
  readonly #guesses: Guesses;
  readonly #decoy = decoyHash();
  /** Taken away, and the store could not be told; with the one who did it. */
  readonly #untold = new Map<string, string>();

  constructor(store: Store, accounts: Accounts, clock: Deadlines) {
    this.#store = store;
    this.#accounts = accounts;
    this.#guesses = new Guesses(clock);
  }

  /** Tells the store what it could not be told. */
  load(): void {
    for (const [account, actor] of this.#untold) {
      try {
        this.#tellRemoved(account, actor);
      } catch {
        break; // tried again when the store is
      }
    }
  }

  has(account: string): boolean {
    return this.#row(account) !== undefined;
  }

  /** Another each time that it is set; undefined where there is none. */
  versionOf(account: string): string | undefined {
    return this.#row(account)?.hash;
  }

  /** Whether a name and a password belong together; `source`: who asks, as well as a door can tell. @throws AgentError LIMIT */
  async check(word: string, password: string, source: string): Promise<Checked> {
    const account = this.#accounts.find(word);
    const [pair, any] = [`${account ?? word} ${source}`, `* ${source}`];
    const waitMs = Math.max(this.#guesses.waitMs(pair, AT_ONE_ACCOUNT), this.#guesses.waitMs(any, OF_ONE_SOURCE));
    if (waitMs > 0) return { state: "wait", waitMs };
    for (const key of [pair, any]) this.#guesses.count(key);
    const row = account === undefined ? undefined : this.#row(account);
    const fits = await this.#argon.fits(password, row?.hash ?? this.#decoy, source).catch((cause) => {
      for (const key of [pair, any]) this.#guesses.takeBack(key);
      throw cause;
    });
    if (!fits || !row || this.#accounts.roleOf(row.account) === null || this.versionOf(row.account) !== row.hash)
      return this.#wrong(pair, any);
    this.#guesses.forget(pair);
    this.#guesses.takeBack(any);
    await this.#renew(row, password, source);
    return { state: "right", account: row.account, mustChange: row.must_change === 1 };
  }

  /** @throws AgentError NOT_ALLOWED, STORE_READ_ONLY, LIMIT */
  async set({ account, password, mustChange, actor, source, isStillWanted }: PasswordWish): Promise<void> {
    const hash = await this.#argon.hash(password, source);
    if (!isStillWanted() || this.#accounts.roleOf(account) === null)
      throw new AgentError(
        "NOT_ALLOWED",
        `The password of ${account} was not set: meanwhile it, or who may set it, has changed. Look, and try again.`,
      );
    const draft = { at: Date.now(), actor, action: "password.set", account, detail: { mustChange } };
    this.#keep(draft, { account, hash, must_change: mustChange ? 1 : 0 });
    this.#untold.delete(account);
  }

  /** It lets nobody in from now on, also where this throws. @throws AgentError STORE_READ_ONLY */
  remove(account: string, actor: string): void {
    if (!this.has(account)) return;
    this.#untold.set(account, actor);
    this.#tellRemoved(account, actor);
  }

  #wrong(...keys: string[]): Checked {
    for (const key of keys) this.#guesses.confirm(key);
    return { state: "wrong" };
  }

  /** Only at a login is the password there to be hashed at today's cost. */
  async #renew(row: Row, password: string, source: string): Promise<void> {
    if (!(await this.#argon.isOutdated(row.hash))) return;
    try {
      const hash = await this.#argon.hash(password, source);
      if (this.versionOf(row.account) !== row.hash) return;
      const { account } = row;
      this.#keep(
        { at: Date.now(), actor: account, action: "password.rehashed", account, detail: {} },
        { ...row, hash },
      );
    } catch (cause) {
      if (!(cause instanceof AgentError)) throw cause; // next time, then
    }
  }

  #keep(draft: Parameters<Store["recordWith"]>[0], row: Row): void {
    this.#store.recordWith(
      draft,
      `INSERT INTO passwords (account, hash, must_change) VALUES (?, ?, ?)
       ON CONFLICT (account) DO UPDATE SET hash = excluded.hash, must_change = excluded.must_change`,
      row.account,
      row.hash,
      row.must_change,
    );
  }

  #row(account: string): Row | undefined {
    if (this.#untold.has(account)) return undefined;
    return this.#store.all<Row>("SELECT * FROM passwords WHERE account = ?", account)[0];
  }

  #tellRemoved(account: string, actor: string): void {
    this.#store.recordWith(
      { at: Date.now(), actor, action: "password.removed", account, detail: {} },
      "DELETE FROM passwords WHERE account = ?",
      account,
    );
    this.#untold.delete(account);
  }
}

import type { Account } from "@lendbuf/shared/account";
import { AgentError } from "@lendbuf/shared/errors";
import { atLeast, type Role } from "@lendbuf/shared/role";
import type { Store } from "../store/store.ts";
import { gidOf, groupsOf, uidOfName } from "./host-users.ts";

/** What the agent's configuration says of those whom no account names. */
export interface Defaults {
  /** Null: they are turned away. */
  readonly others: Role | null;
  /** By the name of a group of this host; the greatest counts. */
  readonly groupRoles: ReadonlyMap<string, Role>;
  /** Those that stand in the configuration file; they count before those that admins made. */
  readonly accounts: readonly Account[];
}

/** Who there is: accounts of the configuration file, those that admins made, and each uid of this host that none of them names, as `uid:1000`. */
export class Accounts {
  readonly #store: Store;
  readonly #defaults: Defaults;
  readonly #stored = new Map<string, Account>();
  /** Of all that count. */
  readonly #byName = new Map<string, Account>();
  readonly #byUid = new Map<number, Account>();

  constructor(store: Store, defaults: Defaults) {
    this.#store = store;
    this.#defaults = defaults;
    this.load();
  }

  /** Takes up those that the store knows: at start, and when it could be opened at last. */
  load(): void {
    // Where something is unwritten, it does not know yet who was taken away meanwhile.
    if (this.#store.unwritten === 0)
      for (const { definition } of this.#store.all<{ definition: string }>("SELECT definition FROM accounts")) {
        const account: Account = { ...(JSON.parse(definition) as Account), source: "store" };
        this.#stored.set(account.name, account);
      }
    this.settle();
  }

  /** Who counts, now that the file or the store says something else. An account of the file hides one of the same name. */
  settle(): void {
    this.#byName.clear();
    this.#byUid.clear();
    for (const account of [...this.#stored.values(), ...this.#defaults.accounts])
      this.#byName.set(account.name, account);
    const from = (source: Account["source"]) => [...this.#byName.values()].filter((one) => one.source === source);
    for (const account of [...from("store"), ...from("config")])
      for (const uid of account.uids) this.#byUid.set(uid, account);
  }

  /** In order of their names. */
  all(): Account[] {
    return [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  /** @throws AgentError NOT_FOUND */
  get(name: string): Account {
    const account = this.#byName.get(name);
    if (account) return account;
    throw new AgentError("NOT_FOUND", `There is no account "${name}". \`lendbuf account list\` lists them.`);
  }

  /** The one that names a uid; undefined where none does. */
  ofUid(uid: number): string | undefined {
    return this.#byUid.get(uid)?.name;
  }

  /** Whether an admin made one of this name that lets somebody in. */
  isStored(name: string): boolean {
    return this.#stored.get(name)?.disabled === false;
  }

  /** The account of a process: by its uid, else by its groups, else one that is named like the uid. */
  ofPeer(uid: number, gids: readonly number[]): string {
    const named = this.#byUid.get(uid);
    if (named) return named.name;
    if (isOwn(uid)) return `uid:${uid}`;
    const shared = this.all().find(({ groups }) => groups.some((group) => isAmong(group, gids)));
    return shared?.name ?? `uid:${uid}`;
  }

  /** What it may do; null: it has no way in. `gids`: the groups of the process, where one can be seen. */
  roleOf(account: string, gids?: readonly number[]): Role | null {
    const named = this.#byName.get(account);
    if (named) return named.disabled ? null : named.role;
    const uid = uidOf(account);
    if (uid === undefined || this.#byUid.has(uid)) return null;
    if (isOwn(uid)) return "admin";
    const { others, groupRoles } = this.#defaults;
    if (groupRoles.size === 0) return others;
    return greatest([others, ...rolesOf(groupRoles, gids ?? groupsOf(uid))]);
  }

  /** Whether an account is of a group of this host: by name, as its uids are, or as its groups. */
  isIn(account: string, group: string): boolean {
    const named = this.#byName.get(account);
    const uid = uidOf(account);
    const uids = named?.uids ?? (uid === undefined ? [] : [uid]);
    const gid = gidOf(group);
    return (
      (named?.groups.includes(group) ?? false) || uids.some((one) => gid !== undefined && groupsOf(one).includes(gid))
    );
  }

  /** The account that somebody means, who may also write `uid:1000` or the login name of one. @throws AgentError NOT_FOUND */
  meant(word: string): string {
    const name = this.find(word);
    if (name !== undefined) return name;
    throw new AgentError(
      "NOT_FOUND",
      `There is no account "${word}" that may come in. \`lendbuf account list\` lists them.`,
    );
  }

  /** The same; undefined where there is none that may come in. */
  find(word: string): string | undefined {
    const uid = this.#byName.has(word) ? undefined : (uidOf(word) ?? uidOfName(word));
    const name = uid === undefined ? word : this.ofPeer(uid, groupsOf(uid));
    return this.roleOf(name) === null ? undefined : name;
  }

  /** @throws AgentError ALREADY_EXISTS, BAD_INPUT, STORE_READ_ONLY */
  create(account: Account, actor: string): Account {
    if (this.#byName.has(account.name))
      throw new AgentError("ALREADY_EXISTS", `Account "${account.name}" exists already. Choose another name.`);
    return this.#define(account, actor);
  }

  /** @throws AgentError NOT_FOUND, NOT_ALLOWED, ALREADY_EXISTS, BAD_INPUT, STORE_READ_ONLY */
  update(name: string, patch: Partial<Account>, actor: string): Account {
    return this.#define({ ...this.#changeable(name), ...patch }, actor);
  }

  /** @throws AgentError NOT_FOUND, NOT_ALLOWED, STORE_READ_ONLY */
  remove(name: string, actor: string): void {
    this.#changeable(name);
    // Taking a way in away never waits for the store.
    this.#store.recordLater({ at: Date.now(), actor, action: "account.removed", account: name, detail: {} });
    this.#stored.delete(name);
    this.settle();
  }

  /** @throws AgentError NOT_FOUND, NOT_ALLOWED */
  #changeable(name: string): Account {
    const account = this.get(name);
    if (account.source === "store") return account;
    throw new AgentError(
      "NOT_ALLOWED",
      `Account "${name}" stands in the agent's configuration file. Change it there, then \`lendbuf config reload\`.`,
    );
  }

  #define(account: Account, actor: string): Account {
    for (const uid of account.uids) this.#checkUid(account.name, uid);
    for (const group of account.groups)
      if (gidOf(group) === undefined)
        throw new AgentError("BAD_INPUT", `This host has no group "${group}". \`getent group\` lists them.`);
    const draft = { at: Date.now(), actor, action: "account.defined", account: account.name, detail: account };
    if (account.disabled) this.#store.recordLater(draft);
    else this.#store.record(draft);
    this.#stored.set(account.name, account);
    this.settle();
    return account;
  }

  #checkUid(name: string, uid: number): void {
    if (isOwn(uid))
      throw new AgentError(
        "BAD_INPUT",
        `uid ${uid} is ${uid === 0 ? "root" : "the agent's own"}, who is always an admin. Name others.`,
      );
    const other = this.#byUid.get(uid);
    if (other && other.name !== name)
      throw new AgentError(
        "ALREADY_EXISTS",
        `uid ${uid} is account "${other.name}" already. Take it away there first: lendbuf account set.`,
      );
  }
}

/** Of an account that is named like a uid. */
export function uidOf(account: string): number | undefined {
  return account.startsWith("uid:") ? Number(account.slice("uid:".length)) : undefined;
}

/** Root, and whoever the agent itself is: nothing could keep them from anything. */
function isOwn(uid: number): boolean {
  return uid === 0 || uid === process.getuid!();
}

function isAmong(group: string, gids: readonly number[]): boolean {
  const gid = gidOf(group);
  return gid !== undefined && gids.includes(gid);
}

function rolesOf(groupRoles: ReadonlyMap<string, Role>, gids: readonly number[]): Role[] {
  return [...groupRoles].filter(([group]) => isAmong(group, gids)).map(([, role]) => role);
}

function greatest(roles: readonly (Role | null)[]): Role | null {
  return roles.reduce((best, role) => (role !== null && !atLeast(best, role) ? role : best), null);
}

// What a delegation's life is supposed to be, in as few words as possible, written from the design and not from the agent.

export const BUFFERS = ["model/a", "model/b"] as const;

export interface Wish {
  buffer: number;
  access: "read-only" | "read-write";
  share: "exclusive" | "shared" | undefined;
  wait: boolean;
  keep: boolean;
  /** Runs out at once: the offer while nobody claims it, or the lease. */
  short: "offer" | "lease" | undefined;
}

export interface Modelled {
  buffer: number;
  account: string;
  share: "exclusive" | "shared";
  keep: boolean;
  short: Wish["short"];
  state: "waiting" | "offered" | "active" | "revoked" | "cancelled";
  reason: string | null;
  /** The client that claimed it and is still there. */
  holder: number | null;
  extendedMs: number;
  /** It was kept, and claimed again: its lease went on from its first claim. */
  isReclaimed: boolean;
}

export type Role = "viewer" | "member" | "operator" | "admin";

interface Account {
  role: Role;
  /** It has no way in. */
  isDisabled: boolean;
}

/** "ok" or the code of the refusal. */
export type Outcome = string;

export class Model {
  readonly delegations: Modelled[] = [];
  readonly #accounts: ReadonlyMap<string, Account>;

  constructor(roles: Record<string, Role>) {
    this.#accounts = new Map(Object.entries(roles).map(([name, role]) => [name, { role, isDisabled: false }]));
  }

  isDisabled(account: string): boolean {
    return this.#accounts.get(account)!.isDisabled;
  }

  /** What it has stays as it is. */
  setRole(account: string, role: Role): void {
    this.#accounts.get(account)!.role = role;
  }

  disable(account: string): void {
    this.#accounts.get(account)!.isDisabled = true;
    this.#end(
      this.delegations.filter((delegation) => delegation.account === account),
      "operator",
      "operator",
    );
  }

  enable(account: string): void {
    this.#accounts.get(account)!.isDisabled = false;
  }

  request(account: string, wish: Wish, beneficiary = account): Outcome {
    if (!this.#mayBorrow(account)) return "NOT_ALLOWED";
    if (this.isDisabled(beneficiary)) return "NOT_FOUND";
    if (beneficiary !== account && !this.#operates(account)) return "NOT_ALLOWED";
    const share = wish.share ?? (wish.access === "read-only" ? "shared" : "exclusive");
    if (wish.access === "read-write" && share === "shared") return "UNSUPPORTED";
    const { buffer, keep, short, wait } = wish;
    const isFree = this.queue(buffer).length === 0 && this.#admits(buffer, share);
    if (!isFree && !wait) return "BUSY";
    const state = isFree ? "offered" : "waiting";
    const rest = { reason: null, holder: null, extendedMs: 0, isReclaimed: false };
    this.delegations.push({ buffer, account: beneficiary, share, keep, short, state, ...rest });
    return "ok";
  }

  claim(account: string, client: number, index: number): Outcome {
    if (!this.#mayBorrow(account)) return "NOT_ALLOWED";
    const delegation = this.delegations[index]!;
    const { state, keep, holder } = delegation;
    if (delegation.account !== account) return "NOT_YOURS";
    if (state === "waiting") return "NOT_READY";
    if (state === "revoked" || state === "cancelled") return "ENDED";
    if (state === "active" && !(keep && holder === null)) return "ALREADY_CLAIMED";
    delegation.isReclaimed = state === "active";
    delegation.state = "active";
    delegation.holder = client;
    return "ok";
  }

  extend(account: string, index: number, byMs: number): Outcome {
    if (!this.#mayBorrow(account)) return "NOT_ALLOWED";
    const delegation = this.delegations[index]!;
    if (!this.#mayTouch(account, delegation)) return "NOT_YOURS";
    if (isOver(delegation)) return "ENDED";
    if (delegation.state !== "active") return "NOT_READY";
    delegation.extendedMs += byMs;
    return "ok";
  }

  release(account: string, index: number): Outcome {
    if (!this.#mayBorrow(account)) return "NOT_ALLOWED";
    const delegation = this.delegations[index]!;
    if (!this.#mayTouch(account, delegation)) return "NOT_YOURS";
    this.#end([delegation], "released", "withdrawn");
    return "ok";
  }

  revoke(account: string, indices: number[]): Outcome {
    if (!this.#mayBorrow(account)) return "NOT_ALLOWED";
    const named = indices.map((index) => this.delegations[index]!);
    if (!named.every((delegation) => this.#mayTouch(account, delegation))) return "NOT_YOURS";
    if (this.#operates(account)) this.#end(named, "operator", "operator");
    else this.#end(named, "released", "withdrawn");
    return "ok";
  }

  revokeAll(account: string): Outcome {
    if (!this.#operates(account)) return "NOT_ALLOWED";
    this.#end(this.delegations, "panic", "panic");
    return "ok";
  }

  disconnect(client: number): void {
    const held = this.delegations.filter(({ holder, state }) => state === "active" && holder === client);
    for (const delegation of held) delegation.holder = null;
    this.#end(
      held.filter(({ keep }) => !keep),
      "disconnected",
      "never",
    );
  }

  loseWarden(): void {
    this.#end(this.#active(), "device-lost", "never");
  }

  restart(): void {
    this.#end(this.#active(), "agent-restart", "never");
  }

  /** Lets what is short run out, and offers what is free to those who are next, until nothing moves. */
  settle(): void {
    for (let moved = true; moved; ) {
      moved = false;
      for (const delegation of this.delegations) {
        const { state, short } = delegation;
        if (state === "offered" && short === "offer") this.#end([delegation], "never", "lapsed");
        else if (state === "active" && short === "lease") this.#end([delegation], "expired", "never");
        else continue;
        moved = true;
      }
      for (const buffer of BUFFERS.keys()) {
        const [next] = this.queue(buffer);
        if (!next || !this.#admits(buffer, next.share)) continue;
        next.state = "offered";
        moved = true;
      }
    }
  }

  /** In order of arrival. */
  queue(buffer: number): Modelled[] {
    return this.delegations.filter((delegation) => delegation.buffer === buffer && delegation.state === "waiting");
  }

  occupants(buffer: number): Modelled[] {
    return this.delegations.filter(
      (delegation) => delegation.buffer === buffer && ["offered", "active"].includes(delegation.state),
    );
  }

  #active(): Modelled[] {
    return this.delegations.filter(({ state }) => state === "active");
  }

  #admits(buffer: number, share: string): boolean {
    const occupants = this.occupants(buffer);
    return occupants.length === 0 || [...occupants, { share }].every((one) => one.share === "shared");
  }

  #operates(account: string): boolean {
    const { role, isDisabled } = this.#accounts.get(account)!;
    return !isDisabled && (role === "operator" || role === "admin");
  }

  #mayBorrow(account: string): boolean {
    const { role, isDisabled } = this.#accounts.get(account)!;
    return !isDisabled && role !== "viewer";
  }

  #mayTouch(account: string, delegation: Modelled): boolean {
    return this.#operates(account) || account === delegation.account;
  }

  #end(delegations: Modelled[], whenActive: string, otherwise: string): void {
    for (const delegation of new Set(delegations)) {
      if (isOver(delegation)) continue;
      const isActive = delegation.state === "active";
      delegation.state = isActive ? "revoked" : "cancelled";
      delegation.reason = isActive ? whenActive : otherwise;
      delegation.holder = null;
    }
  }
}

function isOver({ state }: Modelled): boolean {
  return state === "revoked" || state === "cancelled";
}

import { AgentError } from "@lendbuf/client/errors";
import { isFinal } from "@lendbuf/shared/delegation";
import type { Borrower } from "./borrower.ts";
import { chance } from "./chance.ts";
import type { World } from "./world.ts";

/** An operator at work: revokes, delegates, looks, changes roles, and shuts accounts out for a while. */
export class Operator {
  readonly #world: World;
  readonly #borrowers: readonly Borrower[];
  readonly #buffers: readonly string[];
  /** Those that may be shut out. */
  readonly #accounts: readonly string[];

  constructor(world: World, borrowers: readonly Borrower[], buffers: readonly string[], accounts: readonly string[]) {
    this.#world = world;
    this.#borrowers = borrowers;
    this.#buffers = buffers;
    this.#accounts = accounts;
  }

  async run(): Promise<void> {
    while (!this.#world.isOver) {
      await this.#act();
      await chance.pause(200);
    }
  }

  async #act(): Promise<void> {
    const step = chance.pick(STEPS);
    try {
      await this[step]();
      this.#world.count(`operator: ${step}`);
    } catch (cause) {
      if (cause instanceof AgentError && !["BUSY", "NOT_FOUND", "IN_USE", "DEVICE_LOST"].includes(cause.code))
        this.#world.violated(`operator: ${step} was answered ${cause.code}: ${cause.message}`);
      await this.#world.calm(); // else the agent has gone
    }
  }

  async revoke(): Promise<void> {
    const held = [...this.#world.holdings.values()];
    const named = [...new Set(Array.from({ length: chance.between(1, 4) }, () => chance.pick(held)))];
    const holdings = named.filter((holding) => holding !== undefined);
    const ids = holdings.map(({ id }) => id);
    if (ids.length === 0) return;
    const ended = await this.#world.witness.during({ reasons: ["operator"], ids }, () =>
      this.#world.operator.call("delegations.revoke", { ids }),
    );
    for (const { id, state } of ended)
      if (!isFinal(state)) this.#world.violated(`delegation ${id} is ${state} after its revoke was answered`);
    await this.#world.expectCut(holdings, "an operator revoked it");
  }

  async delegate(): Promise<void> {
    const borrower = chance.pick(this.#borrowers)!;
    const { account } = borrower;
    const buffer = chance.pick(this.#buffers)!;
    const offerMs = chance.between(100, 5000);
    const sinceMs = performance.now();
    const offer = await this.#world.operator.call("delegations.request", { buffer, account, offerMs });
    this.#world.witness.hear(offer, sinceMs, offerMs);
    borrower.offer(offer.id);
  }

  async look(): Promise<void> {
    const { operator } = this.#world;
    await operator.call("buffers.list", { limit: 100 });
    await operator.call("audit.list", { limit: 20 });
    const holding = chance.pick([...this.#world.holdings.values()]);
    if (holding && chance.of(0.1)) await operator.call("delegations.holders", { id: holding.id });
  }

  async changeRole(): Promise<void> {
    const name = chance.pick(this.#accounts);
    if (name === undefined) return;
    await this.#world.operator.call("accounts.update", { name, role: "viewer" });
    await chance.pause(100);
    await this.#insist(() => this.#world.operator.call("accounts.update", { name, role: "member" }));
  }

  async shutOut(): Promise<void> {
    const world = this.#world;
    const name = chance.pick(this.#accounts);
    if (name === undefined) return;
    world.disable(name);
    try {
      await world.disturb(["operator"], name, async () => {
        await this.#insist(() => world.operator.call("accounts.update", { name, disabled: true }));
        const its = [...world.holdings.values()].filter(({ account }) => account === name);
        await world.expectCut(its, "its account was disabled");
      });
      await chance.pause(300);
    } finally {
      await this.#insist(() => world.operator.call("accounts.update", { name, disabled: false }));
      world.enable(name);
    }
  }

  /** Also where the agent goes and comes meanwhile. */
  async #insist(call: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await call();
        return;
      } catch (cause) {
        if (cause instanceof AgentError) throw cause;
        await chance.pause(20);
      }
    }
  }
}

type Step = "revoke" | "delegate" | "look" | "changeRole" | "shutOut";

/** Each as often as it stands here. */
const STEPS: readonly [Step, ...Step[]] = [
  "revoke",
  "revoke",
  "revoke",
  "delegate",
  "delegate",
  "delegate",
  "look",
  "look",
  "changeRole",
  "shutOut",
];

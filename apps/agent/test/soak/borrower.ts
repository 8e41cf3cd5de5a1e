import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { chance } from "./chance.ts";
import { type Answer, ConnectionGone, type Touch, type Worker } from "./worker.ts";
import type { Holding, World } from "./world.ts";

/** What may be answered to somebody who borrows as others do, whose role may change, on a device that is lost now and then. */
const REFUSALS = [
  "ALREADY_CLAIMED",
  "BUSY",
  "DEVICE_LOST",
  "ENDED",
  "EXPORT_FAILED",
  "NOT_ALLOWED",
  "NOT_FOUND",
  "NOT_READY",
];
const MOST_HELD = 4;
const MOST_PLACES = 4;
/** The processes in C have room for so many in a life, and somewhat more. */
const MOST_IN_A_LIFE = 3000;
const HOUR_MS = 3_600_000;

export interface BorrowerOptions {
  world: World;
  account: string;
  buffers: readonly string[];
  /** Whether it can take memory, which the HTTP door cannot hand over. */
  lends: boolean;
  /** Of its steps, how many end its life. */
  deaths: number;
  /** Starts its process. */
  come: () => Promise<Worker>;
}

/** One of the scripted clients, over as many lives as it takes. */
export class Borrower {
  readonly account: string;
  readonly #options: BorrowerOptions;
  readonly #world: World;
  /** What it requested, was offered, or kept when it died. */
  #places: number[] = [];
  #worker: Worker | undefined;
  #lossesBefore = 0;
  #lent = 0;

  constructor(options: BorrowerOptions) {
    this.#options = options;
    this.#world = options.world;
    this.account = options.account;
  }

  get isHere(): boolean {
    return this.#worker !== undefined;
  }

  /** An operator made an offer to it. */
  offer(id: number): void {
    this.#places.push(id);
  }

  async run(): Promise<void> {
    while (!this.#world.isOver) {
      try {
        await this.#come();
        await this.#act();
      } catch (cause) {
        if (!(cause instanceof ConnectionGone)) throw cause;
        await this.#lose(cause);
      }
      await chance.pause(this.#options.lends ? 60 : 200);
    }
    await this.#leave();
  }

  get #mine(): Holding[] {
    return [...this.#world.holdings.values()].filter(({ worker }) => worker === this.#worker);
  }

  async #come(): Promise<void> {
    if (this.#worker) return;
    await this.#world.mayCome(this.account);
    await this.#world.calm();
    this.#lossesBefore = this.#world.lossesOf(this.account);
    this.#lent = 0;
    this.#worker = await this.#options.come();
    this.#world.count(`lives: ${this.#worker.kind}`);
  }

  /** Nothing that it had is there any more, and there was a reason. */
  async #lose(cause: ConnectionGone): Promise<void> {
    const world = this.#world;
    const before = this.#lossesBefore;
    await world.calm();
    if (world.lossesOf(this.account) === before)
      world.violated(`${this.account} lost its connection, and nobody took it: ${cause.message}`);
    if (this.#worker) await world.expectCut(this.#mine, "its connection was taken");
    await this.#leave();
  }

  /** SIGKILL. */
  async #leave(): Promise<void> {
    const worker = this.#worker;
    if (!worker) return;
    const mine = this.#mine;
    this.#worker = undefined;
    for (const { id } of mine) {
      const told = this.#world.witness.told.get(id)!;
      told.isLeft = true;
      this.#places.push(id); // it may have been kept
      this.#world.holdings.delete(id);
    }
    this.#places = this.#places.slice(-MOST_PLACES);
    await worker.kill();
  }

  async #act(): Promise<void> {
    const { lends, deaths } = this.#options;
    if (chance.of(deaths) || this.#lent > MOST_IN_A_LIFE) {
      this.#world.count("killed");
      return this.#leave();
    }
    await this[chance.pick(lends ? LENDERS : WAITERS)]();
  }

  async borrow(): Promise<void> {
    if (this.#mine.length >= MOST_HELD) return this.look();
    const sinceMs = performance.now();
    const answer = await this.#worker!.lend("delegations.borrow", { ...this.#wish(), wait: false });
    if (this.#isDone("borrow", answer)) await this.#hold(answer, sinceMs);
  }

  async request(): Promise<void> {
    if (this.#places.length >= MOST_PLACES) return this.claim();
    const sinceMs = performance.now();
    const offerMs = chance.between(100, 3000);
    const answer = await this.#worker!.call("delegations.request", { ...this.#wish(), wait: true, offerMs });
    if (!this.#isDone("request", answer)) return;
    this.#world.witness.hear(answer.result, sinceMs, offerMs);
    this.#places.push(answer.result.id);
  }

  async claim(): Promise<void> {
    const id = chance.pick(this.#places);
    if (id === undefined || !this.#options.lends) return this.withdraw();
    const answer = await this.#worker!.lend("delegations.claim", { id });
    if (answer.error?.code === "NOT_READY") return this.#world.count("claim NOT_READY");
    this.#places = this.#places.filter((place) => place !== id);
    if (this.#isDone("claim", answer)) await this.#hold(answer, performance.now());
  }

  async withdraw(): Promise<void> {
    const id = this.#places.shift();
    if (id !== undefined) await this.#giveBack("withdraw", "delegations.release", id);
  }

  async release(): Promise<void> {
    const holding = chance.pick(this.#mine);
    if (holding) await this.#giveBack("release", "delegations.release", holding.id);
  }

  /** By the other call for it. */
  async handIn(): Promise<void> {
    const holding = chance.pick(this.#mine);
    if (holding) await this.#giveBack("hand in", "delegations.revoke", holding.id);
  }

  async extend(): Promise<void> {
    const id = chance.pick(this.#mine)?.id ?? chance.pick(this.#places);
    if (id === undefined) return;
    const told = this.#world.witness.told.get(id)!;
    const before = told.leaseMs;
    told.leaseMs = null; // until the answer is there
    const answer = await this.#worker!.call("delegations.extend", { id, byMs: 1000 });
    told.leaseMs = before === null ? null : before + (answer.error ? 0 : 1000);
    this.#isDone("extend", answer);
  }

  async list(): Promise<void> {
    this.#isDone("list", await this.#worker!.call("delegations.list", { limit: 20 }));
  }

  /** Uses what it has: what the books call over is out of reach, and what is out of reach is over. */
  async look(): Promise<void> {
    const holding = chance.pick(this.#mine);
    if (!holding) return;
    const { id, access, handle } = holding;
    const worker = this.#worker!;
    const how = chance.pick<Touch>(["read", "write"]);
    const before = await this.#view(id);
    const seen = await worker.touch(handle, how);
    this.#world.count(how);
    if (seen === "ok" && isFinal(before.state))
      this.#world.violated(`delegation ${id} is ${before.state}: a ${how} works`);
    if (seen === "ok" && how === "write" && access === "read-only")
      this.#world.violated(`delegation ${id} is read-only, and was written to`);
    if (seen !== "EFAULT") return;
    const after = await this.#view(id);
    if (after.state === "active") this.#world.violated(`delegation ${id} is active, and out of reach`);
    else this.#drop(holding);
  }

  async #view(id: number): Promise<Delegation> {
    const { result, error } = await this.#worker!.call("delegations.get", { id });
    if (error) throw new Error(`delegation ${id} cannot be looked at: ${error.code}: ${error.message}`);
    return result;
  }

  #wish(): object {
    const access = chance.of(1 / 3) ? "read-only" : "read-write";
    const leaseMs = chance.of(1 / 6) ? chance.between(20, 400) : HOUR_MS;
    return { buffer: this.#buffer(), access, leaseMs, keep: chance.of(1 / 4), purpose: "soak" };
  }

  /** Some are wanted by all, so that there are queues. */
  #buffer(): string {
    const { buffers } = this.#options;
    return buffers[chance.of(1 / 3) ? chance.between(0, 9) : chance.between(0, buffers.length - 1)]!;
  }

  async #hold({ result, handle }: Answer, sinceMs: number): Promise<void> {
    const { id, account, buffer, access, share } = result.delegation as Delegation;
    this.#world.witness.hear(result.delegation, sinceMs);
    const holding = { id, account, buffer, access, share, worker: this.#worker!, handle };
    this.#world.holdings.set(id, holding);
    this.#lent++;
    await this.#world.expectAlone(holding);
  }

  async #giveBack(what: string, method: "delegations.release" | "delegations.revoke", id: number): Promise<void> {
    this.#world.witness.told.get(id)!.isGivenBack = true;
    const answer = await this.#worker!.call(method, method === "delegations.release" ? { id } : { ids: [id] });
    if (!this.#isDone(what, answer)) return;
    const { state } = method === "delegations.release" ? answer.result : answer.result[0];
    const holding = this.#world.holdings.get(id);
    if (!holding || holding.worker !== this.#worker || !isFinal(state)) return;
    await this.#world.expectCut([holding], "it was given back");
    this.#drop(holding);
  }

  #drop(holding: Holding): void {
    this.#world.holdings.delete(holding.id);
    holding.worker.forget(holding.handle);
  }

  #isDone(what: string, { error }: Answer): boolean {
    this.#world.count(error ? `${what} ${error.code}` : what);
    if (error && !REFUSALS.includes(error.code))
      this.#world.violated(`${what} of ${this.account} was answered ${error.code}: ${error.message}`);
    return !error;
  }
}

type Step = "borrow" | "request" | "claim" | "withdraw" | "release" | "handIn" | "extend" | "list" | "look";

/** Each as often as it stands here. */
const LENDERS: readonly [Step, ...Step[]] = [
  "borrow",
  "borrow",
  "borrow",
  "request",
  "claim",
  "claim",
  "withdraw",
  "release",
  "release",
  "handIn",
  "extend",
  "list",
  "look",
  "look",
  "look",
];
const WAITERS: readonly [Step, ...Step[]] = ["request", "request", "withdraw", "extend", "list"];

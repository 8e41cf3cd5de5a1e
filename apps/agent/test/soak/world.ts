import type { Connection } from "@lendbuf/client/connection";
import type { Access, EndReason, Share } from "@lendbuf/shared/delegation";
import type { AgentProcess } from "../harness.ts";
import { Witness } from "./witness.ts";
import type { Worker } from "./worker.ts";

/** Memory that a worker has in its hands. */
export interface Holding {
  readonly id: number;
  readonly account: string;
  readonly buffer: string;
  readonly access: Access;
  readonly share: Share;
  readonly worker: Worker;
  readonly handle: number;
}

/** What all who take part share: the agent of the moment, who has what, and what went wrong. */
export class World {
  agent!: AgentProcess;
  /** An admin's. */
  operator!: Connection;
  isOver = false;
  readonly witness = new Witness();
  readonly holdings = new Map<number, Holding>();
  readonly violations: string[] = [];
  readonly #tally = new Map<string, number>();
  /** How often the connections of an account, or of all, were taken from them. */
  readonly #losses = new Map<string, number>();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #disabled = new Map<string, { enabled: Promise<void>; enable: () => void }>();

  /** What must never be. */
  violated(what: string): void {
    if (this.violations.length < 50) this.violations.push(what);
  }

  count(what: string): void {
    this.#tally.set(what, (this.#tally.get(what) ?? 0) + 1);
  }

  /** In order of the words. */
  counts(): [string, number][] {
    return [...this.#tally].sort(([one], [other]) => (one < other ? -1 : 1));
  }

  /** Does what ends delegations and takes connections, an account's or everybody's. */
  async disturb<T>(reasons: readonly EndReason[], account: string | null, work: () => Promise<T>): Promise<T> {
    const whose = account ?? "";
    this.#losses.set(whose, (this.#losses.get(whose) ?? 0) + 1);
    const done = this.witness.during({ reasons, ...(account !== null && { account }) }, work);
    this.#underWay.add(done);
    try {
      return await done;
    } finally {
      this.#underWay.delete(done);
    }
  }

  lossesOf(account: string): number {
    return (this.#losses.get("") ?? 0) + (this.#losses.get(account) ?? 0);
  }

  /** Resolves when nothing of the kind is under way. */
  async calm(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled([...this.#underWay]);
  }

  disable(account: string): void {
    let enable = () => {};
    const enabled = new Promise<void>((resolve) => {
      enable = resolve;
    });
    this.#disabled.set(account, { enabled, enable });
  }

  enable(account: string): void {
    this.#disabled.get(account)?.enable();
    this.#disabled.delete(account);
  }

  /** Resolves when the account has a way in. */
  async mayCome(account: string): Promise<void> {
    await this.#disabled.get(account)?.enabled;
  }

  /** Nobody whose delegation was ended reads on. */
  async expectCut(holdings: readonly Holding[], why: string): Promise<void> {
    await Promise.all(
      holdings.map(async ({ id, worker, handle }) => {
        this.count("looked after an end");
        if ((await worker.touch(handle, "read")) === "ok") this.violated(`delegation ${id} is readable after ${why}`);
      }),
    );
  }

  /** Nobody else has what was just lent, unless both share it. */
  async expectAlone(holding: Holding): Promise<void> {
    const { id, buffer, share } = holding;
    const others = [...this.holdings.values()].filter(
      (other) => other.buffer === buffer && other.id !== id && !(share === "shared" && other.share === "shared"),
    );
    for (const other of others) {
      this.count("looked for a second holder");
      if ((await other.worker.touch(other.handle, "read")) !== "ok") continue;
      // It may be the next holder already. If ours is active still, it is not.
      const state = await this.stateOf(id);
      if (state === "active")
        this.violated(`delegation ${other.id} reads ${buffer} while delegation ${id} has it (${share})`);
    }
  }

  /** Null where nobody can say now. */
  async stateOf(id: number): Promise<string | null> {
    try {
      return (await this.operator.call("delegations.get", { id })).state;
    } catch {
      return null;
    }
  }
}

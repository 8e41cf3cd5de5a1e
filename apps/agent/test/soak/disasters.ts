import { isFinal } from "@lendbuf/shared/delegation";
import { isRunning, until } from "../harness.ts";
import { chance } from "./chance.ts";
import type { World } from "./world.ts";

/** After so much of the time the agent is left to run, so that its growth shows. */
const LAST_RESTART = 0.6;
const LEAST_PAUSE_MS = 2000;
const MOST_PAUSE_MS = 20_000;

type Disaster = "killWarden" | "crash" | "panic" | "stop";
const EARLY: readonly Disaster[] = ["killWarden", "crash", "panic", "stop"];
const LATE: readonly Disaster[] = ["killWarden", "panic"];

/** What befalls an agent: one thing after the other, so that each proves its ends before the next. */
export class Disasters {
  readonly #world: World;
  readonly #start: () => Promise<void>;

  /** `start` brings a new agent. */
  constructor(world: World, start: () => Promise<void>) {
    this.#world = world;
    this.#start = start;
  }

  async run(totalMs: number): Promise<void> {
    const begin = performance.now();
    const pauseMs = Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, totalMs / 14));
    for (let turn = 0; ; turn++) {
      await chance.pause(2 * pauseMs);
      if (this.#world.isOver) return;
      const isLate = performance.now() - begin > totalMs * LAST_RESTART;
      const those = isLate ? LATE : EARLY;
      const disaster = those[turn % those.length]!;
      await this[disaster]();
      this.#world.count(`disaster: ${disaster}`);
    }
  }

  async panic(): Promise<void> {
    const world = this.#world;
    const before = [...world.holdings.values()];
    await world.witness.during({ reasons: ["panic"] }, () => world.operator.call("delegations.revokeAll"));
    await world.expectCut(before, "a panic");
  }

  async killWarden(): Promise<void> {
    const world = this.#world;
    const before = [...world.holdings.values()];
    await world.witness.during({ reasons: ["device-lost", "export-failed"] }, async () => {
      const [warden] = world.agent.wardens;
      process.kill(warden!, "SIGKILL");
      await until(async () => {
        const [device] = await world.operator.call("devices.list");
        return device!.state === "ready" && device!.warden!.pid !== warden;
      }, "the device is there again");
    });
    for (const { id } of before)
      await until(async () => isFinal((await world.operator.call("delegations.get", { id })).state), `${id} has ended`);
    await world.expectCut(before, "its warden was killed");
  }

  crash(): Promise<void> {
    return this.#restart(() => this.#world.agent.crash());
  }

  stop(): Promise<void> {
    return this.#restart(() => this.#world.agent.stop());
  }

  async #restart(end: () => Promise<unknown>): Promise<void> {
    const world = this.#world;
    await world.disturb(["agent-restart", "export-failed"], null, async () => {
      const { wardens } = world.agent;
      await end();
      await until(() => !wardens.some(isRunning), "the wardens have ended with their agent");
      await world.expectCut([...world.holdings.values()], "its agent has ended");
      world.operator.close();
      await this.#start();
    });
  }
}

import type { Hold } from "@lendbuf/shared/buffer";
import { AgentError } from "@lendbuf/shared/errors";
import type { Buffer } from "../buffers/buffer.ts";
import type { Live } from "../delegations/live.ts";
import type { Device } from "../devices/device.ts";
import type { Log } from "../log.ts";
import type { Store } from "../store/store.ts";
import { type Ended, endedOf, type Hooks } from "./hooks.ts";
import { isScrubbed, scrub } from "./scrub.ts";

export interface BetweenParts {
  store: Store;
  log: Log;
  hooks: Hooks;
  /** Devices that are reset when nobody has anything of them any more. */
  resetIdle: readonly string[];
  buffers: { find(name: string): Buffer<Live> | undefined; all(): Iterable<Buffer<Live>> };
  lives(): Iterable<Live>;
  /** The buffer may be lent again, or became withheld. */
  onChange(buffer: Buffer<Live>): void;
}

/**
 * What happens to a buffer after one borrower's end is proven and before the next gets it: hooks, the device's reset, the scrub. Meanwhile
 * it is withheld; where something fails that must not, it is held until an operator lifts that. Nothing here delays an end.
 */
export class Between {
  /** Those that nobody gets now. */
  readonly withheld = new Set<Buffer<Live>>();
  readonly #parts: BetweenParts;
  /** Of each buffer the last of its steps, which are taken one after the other. */
  readonly #steps = new Map<Buffer<Live>, Promise<void>>();
  /** What waits for its turn already: one scrub is one for all who left something. */
  readonly #queued = new Set<string>();
  readonly #resetting = new Map<Device, Promise<void>>();
  /** Whose hooks this agent has taken up. */
  readonly #resumed = new Set<number>();
  /** By device, the generation whose buffers were prepared. */
  readonly #prepared = new Map<Device, number>();

  constructor(parts: BetweenParts) {
    this.#parts = parts;
  }

  /** The ends of these are proven; called before that is written, so that a crash forgets no hook. */
  expect(lives: readonly Live[]): void {
    const ended = lives.map(endedOf).filter((one) => this.#parts.hooks.of("after-end", one).length > 0);
    for (const { delegation } of ended) this.#resumed.add(delegation);
    if (ended.length > 0)
      this.#parts.store.recordLater({ at: Date.now(), actor: "agent", action: "hooks.pending", detail: { ended } });
  }

  /** The ends of these are proven and written. */
  follow(lives: readonly Live[]): void {
    for (const live of lives) {
      const { hooks, buffers } = this.#parts;
      const ended = endedOf(live);
      const buffer = buffers.find(ended.buffer) ?? live.target;
      if (hooks.of("after-end", ended).length > 0)
        void this.#step(buffer, "a hook runs", () => this.#afterEnd(buffer, ended));
      const { name } = buffer.device;
      if (this.#parts.resetIdle.includes(name))
        this.#once(name, buffer, "its device is reset", () => this.#reset(buffer));
      this.prepare(buffer);
    }
  }

  /** A device can be lent, maybe anew: its memory is as somebody left it, whoever that was. Idempotent. */
  takeUp(device: Device): void {
    this.#restore(device);
    if (this.#prepared.get(device) === device.generation) return;
    this.#prepared.set(device, device.generation);
    for (const buffer of this.#parts.buffers.all()) if (buffer.device === device) this.prepare(buffer);
  }

  /** It is new, or its memory may have changed. */
  prepare(buffer: Buffer<Live>): void {
    if (isScrubbed(buffer.definition)) this.#once(buffer.name, buffer, "it is scrubbed", () => this.#scrub(buffer));
  }

  /** Whether somebody who could have it must wait for a moment. */
  isBusy(buffer: Buffer<Live>): boolean {
    return buffer.between.doing !== null || this.#resetting.has(buffer.device);
  }

  /** Resolves when nothing is being done with it any more. */
  async settled(buffer: Buffer<Live>): Promise<void> {
    while (this.isBusy(buffer)) await (this.#steps.get(buffer) ?? this.#resetting.get(buffer.device));
  }

  hasHooksBefore(live: Live): boolean {
    return this.#parts.hooks.of("before-lend", endedOf(live)).length > 0;
  }

  /** Runs the hooks before the memory is handed over; answers why it must not be. */
  async beforeLend(live: Live): Promise<string | null> {
    const { hooks, store } = this.#parts;
    const buffer = live.target;
    const about = endedOf(live);
    let refusal: string | null = null;
    await this.#step(buffer, "a hook runs", async () => {
      const { outcomes, held } = await hooks.run("before-lend", about);
      if (hooks.isClosed) return;
      const detail = { event: "before-lend", ...about, outcomes };
      store.recordLater({ at: Date.now(), actor: "agent", action: "hooks.ran-before", buffer: buffer.name, detail });
      refusal = held;
      if (held) this.#hold(buffer, held);
    });
    return refusal;
  }

  /** @throws AgentError STORE_READ_ONLY, and then it is held still */
  lift(buffer: Buffer<Live>, actor: string): void {
    const { hold } = buffer.between;
    if (!hold) return;
    this.#parts.store.record({ at: Date.now(), actor, action: "buffer.lifted", buffer: buffer.name, detail: hold });
    this.#withhold(buffer, { hold: null });
  }

  /** Ends the hooks that run. The next agent takes them up. */
  close(): Promise<void> {
    return this.#parts.hooks.close();
  }

  #once(what: string, buffer: Buffer<Live>, doing: string, act: () => Promise<void>): void {
    const key = `${doing} ${what}`;
    if (this.#queued.has(key)) return;
    this.#queued.add(key);
    void this.#step(buffer, doing, () => {
      this.#queued.delete(key);
      return act();
    });
  }

  /** Never rejects: whatever fails, the next step and the next borrower get their turn, or the buffer is held. */
  #step(buffer: Buffer<Live>, doing: string, act: () => Promise<void>): Promise<void> {
    const before = this.#steps.get(buffer);
    const step = (before ?? Promise.resolve())
      .then(() => {
        this.#withhold(buffer, { doing });
        return this.#parts.hooks.isClosed ? undefined : act();
      })
      .catch((cause) => this.#fail(buffer, doing, cause))
      .then(() => {
        if (this.#steps.get(buffer) !== step) return;
        this.#steps.delete(buffer);
        this.#withhold(buffer, { doing: null });
      });
    this.#steps.set(buffer, step);
    if (!before) this.#withhold(buffer, { doing });
    return step;
  }

  async #afterEnd(buffer: Buffer<Live>, ended: Ended): Promise<void> {
    const { hooks, store } = this.#parts;
    const { outcomes, held } = await hooks.run("after-end", ended);
    if (hooks.isClosed) return;
    if (held) this.#hold(buffer, held);
    const detail = { event: "after-end", ...ended, outcomes };
    store.recordLater({ at: Date.now(), actor: "agent", action: "hooks.ran", buffer: buffer.name, detail });
  }

  async #reset({ device }: Buffer<Live>): Promise<void> {
    if (!device.isReady || !this.#isIdle(device)) return; // whoever ends last, or its next warden, does it
    const start = performance.now();
    const reset = device.reset().finally(() => this.#resetting.delete(device));
    this.#resetting.set(
      device,
      reset.catch(() => {}),
    );
    await reset;
    const detail = { device: device.name, durationMs: performance.now() - start };
    this.#parts.store.recordLater({ at: Date.now(), actor: "agent", action: "device.reset", detail });
  }

  async #scrub(buffer: Buffer<Live>): Promise<void> {
    if (!buffer.device.isReady || [...buffer.occupants].some(hasMemory)) return; // the last of them, or the next warden, does it
    const start = performance.now();
    const done = await scrub(buffer);
    const detail = { ...done, scrub: buffer.definition.scrub, durationMs: performance.now() - start };
    const row = { at: Date.now(), actor: "agent", action: "buffer.scrubbed", buffer: buffer.name, detail };
    this.#parts.store.recordLater(row);
  }

  #fail(buffer: Buffer<Live>, doing: string, cause: unknown): void {
    // Its next warden finds it as it is, and takes it up anew.
    if (cause instanceof AgentError && cause.code === "DEVICE_LOST") return;
    this.#hold(buffer, `${doing}, and that failed: ${cause instanceof Error ? cause.message : cause}`);
  }

  #hold(buffer: Buffer<Live>, reason: string): void {
    const hold = { reason, since: Date.now() };
    this.#parts.log.warn({ buffer: buffer.name, reason }, "buffer held");
    this.#parts.store.recordLater({
      at: hold.since,
      actor: "agent",
      action: "buffer.held",
      buffer: buffer.name,
      detail: { reason },
    });
    this.#withhold(buffer, { hold });
  }

  #withhold(buffer: Buffer<Live>, change: Partial<Buffer<Live>["between"]>): void {
    Object.assign(buffer.between, change);
    if (buffer.isWithheld) this.withheld.add(buffer);
    else this.withheld.delete(buffer);
    this.#parts.onChange(buffer);
  }

  /** What an earlier agent held, and the hooks that it did not come to the end of. */
  #restore(device: Device): void {
    const { store, buffers } = this.#parts;
    for (const { buffer: name, ...hold } of store.all<Hold & { buffer: string }>("SELECT * FROM holds")) {
      const buffer = buffers.find(name);
      if (buffer?.device === device) this.#withhold(buffer, { hold });
    }
    for (const { ended } of store.all<{ ended: string }>("SELECT ended FROM pending_hooks ORDER BY delegation")) {
      const one = JSON.parse(ended) as Ended;
      const buffer = buffers.find(one.buffer);
      if (buffer?.device !== device || this.#resumed.has(one.delegation)) continue;
      this.#resumed.add(one.delegation);
      void this.#step(buffer, "a hook runs", () => this.#afterEnd(buffer, one));
    }
  }

  #isIdle(device: Device): boolean {
    for (const live of this.#parts.lives()) if (live.target.device === device && hasMemory(live)) return false;
    return true;
  }
}

/** Or may still have it. */
function hasMemory({ record }: Live): boolean {
  return record.state === "active" || record.state === "revoking";
}

import type { Drain } from "@lendbuf/shared/device";
import type { Store } from "../store/store.ts";

/** Which devices nothing new is lent of, why and until when. A device need not be there for that. */
export class Drains {
  readonly #store: Store;
  readonly #byDevice = new Map<string, Drain>();

  constructor(store: Store) {
    this.#store = store;
    this.load();
  }

  /** Takes up what the store knows: at start, and when a store could be opened at last. */
  load(): void {
    for (const { device, record } of this.#store.all<{ device: string; record: string }>("SELECT * FROM drains"))
      if (!this.#byDevice.has(device)) this.#byDevice.set(device, { until: null, ...JSON.parse(record) } as Drain);
  }

  of(device: string): Drain | null {
    return this.#byDevice.get(device) ?? null;
  }

  all(): [device: string, drain: Drain][] {
    return [...this.#byDevice];
  }

  /** It holds whether it can be written or not. */
  begin(device: string, drain: Drain, actor: string): void {
    this.#byDevice.set(device, drain);
    const { until, ...rest } = drain;
    const detail = { device, ...rest, ...(until !== null && { until }) };
    this.#store.recordLater({ at: drain.since, actor, action: "device.drained", detail });
  }

  /** @throws AgentError STORE_READ_ONLY, and then it is drained still */
  lift(device: string, actor: string): void {
    if (!this.#byDevice.has(device)) return;
    this.#store.record({ at: Date.now(), actor, action: "device.undrained", detail: { device } });
    this.#byDevice.delete(device);
  }
}

import type { Live } from "../delegations/live.ts";
import type { Warden } from "../wardens/warden.ts";

/** Which delegation an export of a warden belongs to, until its end is proven. */
export class ExportBook {
  readonly #byWarden = new WeakMap<Warden, Map<number, Live>>();

  add(warden: Warden, exportId: number, live: Live): void {
    let lives = this.#byWarden.get(warden);
    if (!lives) this.#byWarden.set(warden, (lives = new Map()));
    lives.set(exportId, live);
  }

  find(warden: Warden, exportId: number): Live | undefined {
    return this.#byWarden.get(warden)?.get(exportId);
  }

  delete(warden: Warden, exportId: number): void {
    this.#byWarden.get(warden)?.delete(exportId);
  }

  /** Those whose exports this warden made. */
  of(warden: Warden): Live[] {
    return [...(this.#byWarden.get(warden)?.values() ?? [])];
  }
}

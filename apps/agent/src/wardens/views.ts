import { closeSync } from "node:fs";
import { Mapping } from "@lendbuf/native/addon";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import type { ExportRequest, Warden } from "./warden.ts";

const IDLE_MS = 5000;
/** Each is a copy of a buffer in memory; the one that was looked at longest ago goes. */
const MAX_OPEN = 64;

type Viewed = Pick<ExportRequest, "kind" | "region" | "ranges">;

interface View {
  mapping: Mapping;
  idle: Deadline;
  close(): void;
}

/** The agent's own eyes: read-only exports through which people look at memory, whoever has it. Each is dropped when nobody has looked for a while. */
export class Views {
  readonly #clock: Deadlines;
  /** By what they show: a name may mean other memory a moment later. */
  readonly #open = new Map<string, Promise<View>>();

  constructor(clock: Deadlines) {
    this.#clock = clock;
  }

  /** A guarded copy. Rejects with what the warden answered, or EFAULT where the memory went meanwhile. */
  async read(warden: Warden, viewed: Viewed, offset: number, length: number): Promise<Uint8Array> {
    const view = await this.#of(warden, viewed);
    view.idle.cancel();
    view.idle = this.#clock.after(IDLE_MS, view.close);
    const bytes = new Uint8Array(length);
    view.mapping.read(offset, bytes);
    return bytes;
  }

  #of(warden: Warden, viewed: Viewed): Promise<View> {
    const key = JSON.stringify([warden.instance, viewed.kind, viewed.region, viewed.ranges]);
    const opening = this.#open.get(key) ?? this.#make(warden, viewed, () => this.#forget(key, opening));
    this.#open.delete(key);
    this.#open.set(key, opening); // last
    opening.catch(() => this.#forget(key, opening));
    for (const [oldest, view] of this.#open) {
      if (this.#open.size <= MAX_OPEN) break;
      this.#open.delete(oldest);
      void view.then(({ close }) => close()).catch(() => {});
    }
    return opening;
  }

  #forget(key: string, view: Promise<View>): void {
    if (this.#open.get(key) === view) this.#open.delete(key);
  }

  async #make(warden: Warden, viewed: Viewed, onClose: () => void): Promise<View> {
    const id = warden.nextExportId();
    const fd = await warden.export(id, { ...viewed, readOnly: true });
    const revoke = () => !warden.isGone && warden.revoke([id]);
    let mapping: Mapping;
    try {
      mapping = new Mapping(fd, {
        length: viewed.ranges.reduce((size, { length }) => size + length, 0),
        writable: false,
      });
    } catch (cause) {
      revoke();
      throw cause;
    } finally {
      closeSync(fd);
    }
    const view: View = {
      mapping,
      idle: this.#clock.after(IDLE_MS, () => view.close()),
      close: () => {
        view.idle.cancel();
        mapping.close();
        revoke();
        onClose();
      },
    };
    return view;
  }
}

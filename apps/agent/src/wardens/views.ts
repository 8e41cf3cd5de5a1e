import { closeSync } from "node:fs";
import { Mapping } from "@lendbuf/native/addon";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import type { ExportRequest, Warden } from "./warden.ts";

const IDLE_MS = 5000;

interface View {
  warden: Warden;
  mapping: Mapping;
  close(): void;
  idle: Deadline;
}

/** The agent's own eyes: read-only exports through which people look at memory, whoever has it. Each is dropped when nobody has looked for a while. */
export class Views {
  readonly #clock: Deadlines;
  readonly #open = new Map<string, Promise<View>>();

  constructor(clock: Deadlines) {
    this.#clock = clock;
  }

  /** A guarded copy. Rejects with what the warden answered, or EFAULT where the memory went meanwhile. */
  async read(
    name: string,
    warden: Warden,
    request: Omit<ExportRequest, "readOnly" | "scrubZero">,
    offset: number,
    length: number,
  ): Promise<Uint8Array> {
    const view = await this.#of(name, warden, request);
    const bytes = new Uint8Array(length);
    view.mapping.read(offset, bytes);
    return bytes;
  }

  async #of(name: string, warden: Warden, request: Omit<ExportRequest, "readOnly" | "scrubZero">): Promise<View> {
    const opening = this.#open.get(name) ?? this.#make(name, warden, request);
    this.#open.set(name, opening);
    const view = await opening.catch((cause) => {
      this.#open.delete(name);
      throw cause;
    });
    if (view.warden !== warden) {
      view.close();
      return this.#of(name, warden, request);
    }
    view.idle.cancel();
    view.idle = this.#clock.after(IDLE_MS, () => view.close());
    return view;
  }

  async #make(name: string, warden: Warden, request: Omit<ExportRequest, "readOnly" | "scrubZero">): Promise<View> {
    const id = warden.nextExportId();
    const fd = await warden.export(id, { ...request, readOnly: true, scrubZero: false });
    const length = request.ranges.reduce((size, range) => size + range.length, 0);
    const mapping = new Mapping(fd, { length, writable: false });
    closeSync(fd);
    const view: View = {
      warden,
      mapping,
      idle: this.#clock.after(IDLE_MS, () => view.close()),
      close: () => {
        view.idle.cancel();
        mapping.close();
        if (!warden.isGone) warden.revoke([id]);
        this.#open.delete(name);
      },
    };
    return view;
  }
}

import type { BufferDefinition } from "@lendbuf/shared/buffer";
import type { Proof } from "@lendbuf/shared/delegation";
import type { Capability, Device as DeviceView, Region } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import { Signal } from "../clock/signal.ts";
import type { Log } from "../log.ts";
import { cutByTruncation } from "../wardens/truncate.ts";
import { type Found, type RevokedEntry, Warden } from "../wardens/warden.ts";
import type { Description, DeviceKind } from "./kind.ts";

export interface DeviceOptions {
  stateDirectory: string;
  clock: Deadlines;
  log: Log;
}

export interface DeviceHandlers {
  onChange(): void;
  onRevoked(warden: Warden, entries: RevokedEntry[]): void;
  /** The warden died: what it exported must be cut by other means. */
  onLost(warden: Warden): void;
}

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5000;

/** One device and the warden that holds it now. A warden that dies is followed by another. */
export class Device {
  readonly kind: DeviceKind;
  readonly #options: DeviceOptions;
  readonly #handlers: DeviceHandlers;
  #warden: Warden | undefined;
  #state: DeviceView["state"] = "starting";
  #problem: string | null = null;
  #found: Found = { regions: [], exporters: [], access: null };
  #suspended = false;
  #generation = 0;
  /** Found out at first and whenever a warden has gone, for every status tells of it, at each change. */
  #description: Description;
  #restart: Deadline | undefined;
  #restartMs = FIRST_RESTART_MS;
  #firstWord: (() => void) | undefined;
  /** Woken when it was opened, and when it could not be. */
  readonly #moved = new Signal();

  constructor(kind: DeviceKind, options: DeviceOptions, handlers: DeviceHandlers) {
    this.kind = kind;
    this.#description = kind.describe();
    this.#options = options;
    this.#handlers = handlers;
  }

  get name(): string {
    return this.kind.name;
  }

  get regions(): readonly Region[] {
    return this.#found.regions;
  }

  /** Whether nobody reaches its memory for now. */
  get isSuspended(): boolean {
    return this.#suspended;
  }

  /** Another number whenever its memory may be as somebody left it: a warden opened it, or it was reset. */
  get generation(): number {
    return this.#generation;
  }

  /** The buffers that it comes with, as far as its regions are known. */
  get buffers(): BufferDefinition[] {
    return this.kind.buffers(this.#found.regions);
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** Starts the warden; resolves when it is ready or has failed for the first time. */
  start(): Promise<void> {
    return new Promise((resolve) => {
      this.#firstWord = resolve;
      this.#startWarden();
    });
  }

  /** @throws AgentError DEVICE_LOST */
  readyWarden(): Warden {
    if (this.#state === "ready" && this.#warden) return this.#warden;
    throw new AgentError(
      "DEVICE_LOST",
      `Device ${this.name} is ${this.#state}: ${this.#problem ?? "its warden is starting"}. Try again when \`lendbuf devices\` shows it ready.`,
    );
  }

  /** Whether some of what is lent of it can only be taken back together with all else. */
  get takesWhole(): boolean {
    return this.#found.exporters.some(({ works, scope }) => works && scope === "device");
  }

  /** What its memory is lent by: the named exporter, else the first that works. @throws AgentError DEVICE_LOST, UNSUPPORTED */
  exporter(wanted: Exporter | null): Capability {
    this.readyWarden();
    const { exporters } = this.#found;
    const found = exporters.find(({ exporter, works }) => (wanted === null ? works : exporter === wanted));
    if (found?.works) return found;
    const working = exporters.filter(({ works }) => works).map(({ exporter }) => exporter);
    const why = found?.detail ?? `it has ${working.join(", ")}`;
    throw new AgentError("UNSUPPORTED", `Device ${this.name} is not lent by the exporter "${wanted}" here: ${why}.`);
  }

  /** Takes its memory from everybody for now, or gives it back. @throws AgentError DEVICE_LOST; what the warden answers */
  async suspend(suspend: boolean): Promise<void> {
    const warden = this.readyWarden();
    await warden.suspend(suspend);
    if (this.#warden !== warden || this.#suspended === suspend) return;
    this.#suspended = suspend;
    this.#handlers.onChange();
  }

  /** While nobody has anything of it. Nothing of it is lent meanwhile. @throws AgentError DEVICE_LOST; what the warden answers */
  async reset(): Promise<void> {
    const warden = this.readyWarden();
    this.#become("resetting", "it is being reset between two borrowers");
    try {
      await warden.reset();
    } finally {
      if (this.#warden === warden) {
        this.#generation++;
        this.#become("ready", null);
      }
    }
  }

  /** Cuts an export whose warden has died: a memfd, which lives on without it, through the agent's copy of its fd. */
  cut(fd: number, { method }: Capability): Promise<Proof> {
    if (method === "ftruncate") return cutByTruncation(fd);
    return this.kind.cut(fd, () => this.#whoHasIt());
  }

  /** Resolves once its next warden has opened it, or the kernel has given it to another driver: with that driver's name. */
  async #whoHasIt(): Promise<string | null> {
    for (;;) {
      if (this.isReady) return null;
      const driver = this.#description.pci?.driver;
      if (driver && driver !== "vfio-pci") return driver;
      await this.#moved.next();
    }
  }

  view(): DeviceView {
    return {
      name: this.name,
      kind: this.kind.kind,
      description: this.#description.description,
      state: this.#state,
      problem: this.#problem,
      ...this.#found,
      suspended: this.#suspended,
      pci: this.#description.pci,
      warden: this.#warden
        ? { pid: this.#warden.pid, instance: this.#warden.instance, startedAt: this.#warden.startedAt }
        : null,
    };
  }

  /** Ends the warden, which revokes all that it exported first. */
  async close(): Promise<void> {
    this.#restart?.cancel();
    await this.#warden?.close();
    this.#warden = undefined;
  }

  #startWarden(): void {
    this.#restart = undefined;
    const { stateDirectory } = this.#options;
    const warden: Warden = new Warden(
      { device: this.name, args: this.kind.wardenArgs, stateDirectory },
      {
        onReady: (found) => {
          this.#found = found;
          this.#generation++;
          this.#restartMs = FIRST_RESTART_MS;
          const works = found.exporters.some((one) => one.works);
          this.#become(works ? "ready" : "lost", works ? null : (found.exporters[0]?.detail ?? "nothing lends it"));
          this.#moved.notify();
        },
        onRevoked: (entries) => this.#handlers.onRevoked(warden, entries),
        onGone: (why) => {
          this.#options.log.error({ device: this.name, warden: warden.pid, why }, "warden gone");
          this.#warden = undefined;
          this.#suspended = false; // the next one opens it with its memory switched on
          this.#description = this.kind.describe();
          this.#become("lost", `the warden is gone: ${why}`);
          this.#moved.notify();
          this.#restart = this.#options.clock.after(this.#restartMs, () => this.#startWarden());
          this.#restartMs = Math.min(LAST_RESTART_MS, this.#restartMs * 2);
          this.#handlers.onLost(warden);
        },
      },
    );
    this.#warden = warden;
  }

  #become(state: DeviceView["state"], problem: string | null): void {
    this.#state = state;
    this.#problem = problem;
    this.#firstWord?.();
    this.#firstWord = undefined;
    this.#handlers.onChange();
  }
}

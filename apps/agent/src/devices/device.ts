import type { BufferDefinition } from "@lendbuf/shared/buffer";
import type { Proof } from "@lendbuf/shared/delegation";
import type { Capability, Device as DeviceView, Drain, Region } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Deadline, Deadlines } from "../clock/deadlines.ts";
import { Signal } from "../clock/signal.ts";
import type { Log } from "../log.ts";
import { knownWarden, startWarden, type WardenProcess } from "../wardens/process.ts";
import { type KnownWarden, leaveWord, reach } from "../wardens/succession.ts";
import { cutByTruncation } from "../wardens/truncate.ts";
import { type Found, type Inheritance, type RevokedEntry, Warden } from "../wardens/warden.ts";
import type { Description, DeviceKind } from "./kind.ts";

export interface DeviceOptions {
  stateDirectory: string;
  bootId: string;
  /** How long a warden is to wait for another agent once this one is gone; 0: not at all. */
  adoptMs: number;
  clock: Deadlines;
  log: Log;
  drains: { of(device: string): Drain | null };
}

export interface DeviceHandlers {
  onChange(): void;
  onRevoked(warden: Warden, entries: RevokedEntry[]): void;
  /** The warden died: what it exported must be cut by other means. */
  onLost(warden: Warden): void;
}

const FIRST_RESTART_MS = 100;
const LAST_RESTART_MS = 5000;
const ADOPT_WITHIN_MS = 5000;

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
  #inheritance: Inheritance | undefined;
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

  /** Why nothing new of it is lent; null where it is. */
  get drain(): Drain | null {
    return this.#options.drains.of(this.name);
  }

  /** Whether something new of it can be lent. */
  get lends(): boolean {
    return this.isReady && this.drain === null;
  }

  get isReady(): boolean {
    return this.#state === "ready";
  }

  /** What came with a warden that an earlier agent had started. */
  get inheritance(): Inheritance | undefined {
    return this.#inheritance;
  }

  /** Takes over the warden that an earlier agent left, or starts one; resolves when it is ready or has failed for the first time. */
  async start(known?: KnownWarden): Promise<void> {
    if (known && (await this.#adopt(known))) return;
    await new Promise<void>((resolve) => {
      this.#firstWord = resolve;
      this.#startWarden();
    });
  }

  /** False where it is not there any more, or lets us not in. */
  async #adopt(known: KnownWarden): Promise<boolean> {
    const { stateDirectory, log } = this.#options;
    const until = performance.now() + ADOPT_WITHIN_MS;
    while (performance.now() < until) {
      const socket = await reach(stateDirectory, known);
      if (!socket) break;
      const isOurs = await new Promise<boolean>((resolve) => {
        this.#firstWord = () => resolve(true);
        this.#use(knownWarden(stateDirectory, known, socket), Buffer.from(known.secret, "hex"), () => resolve(false));
      });
      if (isOurs) return true;
      this.#warden = undefined;
    }
    log.warn({ device: this.name, warden: known.pid }, "the warden of the agent before cannot be taken over");
    return false;
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

  /** Of an exporter by which some of it is lent, whether or not the device is ready. */
  capabilityOf(exporter: Exporter | null): Capability {
    const { exporters } = this.#found;
    return exporters.find((one) => one.exporter === exporter) ?? exporters[0]!;
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
      drained: this.drain,
      pci: this.#description.pci,
      warden: this.#warden
        ? { pid: this.#warden.pid, instance: this.#warden.instance, startedAt: this.#warden.startedAt }
        : null,
    };
  }

  /** Ends the warden, which revokes all that it exported first; or leaves it, with what it exported, to the next agent. */
  async close(leave: boolean): Promise<void> {
    this.#restart?.cancel();
    if (leave) this.#warden?.leave();
    else await this.#warden?.close();
    this.#warden = undefined;
  }

  #startWarden(): void {
    this.#restart = undefined;
    const { stateDirectory, adoptMs } = this.#options;
    this.#use(startWarden({ device: this.name, args: this.kind.wardenArgs, stateDirectory, adoptMs }));
  }

  #use(process: WardenProcess, secret?: Uint8Array, onTurnedAway?: () => void): void {
    const warden: Warden = new Warden(
      process,
      {
        onReady: (found, inherited) => {
          this.#takeUp(found, inherited);
          this.#prepareSuccession(warden, secret);
        },
        onRevoked: (entries) => this.#handlers.onRevoked(warden, entries),
        onGone: (why) => this.#onGone(warden, why),
        ...(onTurnedAway && { onTurnedAway }),
      },
      secret,
    );
    this.#warden = warden;
  }

  #takeUp(found: Found, inherited: Inheritance | undefined): void {
    this.#found = found;
    this.#generation++;
    this.#inheritance = inherited;
    this.#suspended = inherited?.isSuspended ?? false;
    this.#restartMs = FIRST_RESTART_MS;
    const works = found.exporters.some((one) => one.works);
    this.#become(works ? "ready" : "lost", works ? null : (found.exporters[0]?.detail ?? "nothing lends it"));
    this.#moved.notify();
  }

  /** Where it is wanted, and word can be left of the warden; else it ends with this agent. */
  #prepareSuccession(warden: Warden, secret: Uint8Array | undefined): void {
    const { stateDirectory, bootId, adoptMs, log } = this.#options;
    if (adoptMs === 0) return;
    try {
      warden.waitForAnother(
        adoptMs,
        secret ?? leaveWord(stateDirectory, warden, { name: this.name, args: this.kind.wardenArgs }, bootId),
      );
    } catch (cause) {
      log.warn(
        { device: this.name, cause },
        "what is lent of it ends with this agent: no word can be left of its warden",
      );
    }
  }

  #onGone(warden: Warden, why: string): void {
    this.#options.log.error({ device: this.name, warden: warden.pid, why }, "warden gone");
    this.#warden = undefined;
    this.#suspended = false; // the next one opens it with its memory switched on
    this.#description = this.kind.describe();
    this.#become("lost", `the warden is gone: ${why}`);
    this.#moved.notify();
    this.#restart = this.#options.clock.after(this.#restartMs, () => this.#startWarden());
    this.#restartMs = Math.min(LAST_RESTART_MS, this.#restartMs * 2);
    this.#handlers.onLost(warden);
  }

  #become(state: DeviceView["state"], problem: string | null): void {
    this.#state = state;
    this.#problem = problem;
    this.#firstWord?.();
    this.#firstWord = undefined;
    this.#handlers.onChange();
  }
}

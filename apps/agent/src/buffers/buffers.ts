import { type BufferDefinition, overlaps, PAGE_SIZE } from "@lendbuf/shared/buffer";
import type { Unlendable } from "@lendbuf/shared/device";
import { AgentError } from "@lendbuf/shared/errors";
import type { Device } from "../devices/device.ts";
import type { Store } from "../store/store.ts";
import type { Ahead } from "./ahead.ts";
import { Buffer, type Occupant } from "./buffer.ts";

export interface BufferQuery {
  device?: string | undefined;
  tag?: string | undefined;
  search?: string | undefined;
  /** The name after which to go on. */
  cursor?: string | undefined;
}

/** All buffers of this host, in order of their names. */
export class Buffers<Holder extends Occupant> {
  /** What is reserved, by the buffers' names; also of those that are not there now. */
  readonly ahead: ReadonlyMap<string, readonly Ahead[]>;
  readonly #store: Store;
  readonly #devices: ReadonlyMap<string, Device>;
  readonly #byName = new Map<string, Buffer<Holder>>();
  /** Sorted when next read: a hundred thousand are added at a start. */
  #sorted: Buffer<Holder>[] | undefined = [];
  /** Devices whose buffers in the store were taken up. */
  readonly #loadedFor = new Set<string>();
  /** By device and region, those that overlap nothing. */
  readonly #exclusive = new Map<string, Set<Buffer<Holder>>>();
  readonly #shared = new Map<string, Set<Buffer<Holder>>>();

  constructor(
    store: Store,
    devices: ReadonlyMap<string, Device>,
    ahead: ReadonlyMap<string, readonly Ahead[]> = new Map(),
  ) {
    this.ahead = ahead;
    this.#store = store;
    this.#devices = devices;
    this.load();
    for (const device of devices.values()) this.takeUp(device);
  }

  /** What a device comes with, as far as nothing that people defined lies over it. Idempotent. */
  takeUp(device: Device): void {
    if (!this.#loadedFor.has(device.name)) this.load();
    for (const definition of device.buffers)
      if (!this.#byName.has(definition.name) && this.#overlapping(definition).length === 0) this.#add(definition, true);
  }

  /** Takes up those that the store knows: at start, when a store could be opened at last, and when a device comes later. */
  load(): void {
    for (const name of this.#devices.keys()) this.#loadedFor.add(name);
    for (const { definition } of this.#store.all<{ definition: string }>("SELECT definition FROM buffers")) {
      const parsed = definitionOf(JSON.parse(definition));
      if (this.#devices.has(parsed.device) && !this.#byName.has(parsed.name)) this.#add(parsed, false);
    }
  }

  hasTag(tag: string): boolean {
    return [...this.#byName.values()].some(({ definition }) => definition.tags.includes(tag));
  }

  get size(): number {
    return this.#byName.size;
  }

  all(): Iterable<Buffer<Holder>> {
    return this.#byName.values();
  }

  find(name: string): Buffer<Holder> | undefined {
    return this.#byName.get(name);
  }

  /** @throws AgentError NOT_FOUND */
  get(name: string): Buffer<Holder> {
    const buffer = this.#byName.get(name);
    if (!buffer) throw new AgentError("NOT_FOUND", `There is no buffer "${name}". \`lendbuf buffers\` lists them.`);
    return buffer;
  }

  /** Those that match, from the cursor on, and how many match in all. */
  query({ device, tag, search, cursor }: BufferQuery): { found: Iterable<Buffer<Holder>>; total: number } {
    const sorted = this.#inOrder();
    const matches = (buffer: Buffer<Holder>) =>
      (device === undefined || buffer.definition.device === device) &&
      (tag === undefined || buffer.definition.tags.includes(tag)) &&
      (search === undefined || buffer.name.includes(search) || buffer.definition.description.includes(search));
    const unfiltered = device === undefined && tag === undefined && search === undefined;
    const matching = unfiltered ? sorted : sorted.filter(matches);
    return { found: from(matching, cursor), total: matching.length };
  }

  /** @throws AgentError ALREADY_EXISTS, NOT_FOUND, DEVICE_LOST, BAD_INPUT, OVERLAP, STORE_READ_ONLY */
  define(definition: BufferDefinition, actor: string): Buffer<Holder> {
    const { name, device: deviceName, region, ranges } = definition;
    if (this.#byName.has(name))
      throw new AgentError(
        "ALREADY_EXISTS",
        `Buffer "${name}" exists already. Choose another name, or remove it first.`,
      );
    const device = this.#devices.get(deviceName);
    if (!device)
      throw new AgentError("NOT_FOUND", `There is no device "${deviceName}". \`lendbuf devices\` lists them.`);
    device.readyWarden();
    checkScrub(definition);
    checkRanges(definition, device);
    const others = this.#overlapping(definition);
    const other = others.find((one) => !one.yields);
    if (other) {
      throw new AgentError(
        "OVERLAP",
        `A range of "${name}" overlaps buffer "${other.name}" in region ${region} of ${deviceName} (${ranges.length} asked: ${ranges.map(show).join(", ")}; it has ${other.definition.ranges.map(show).join(", ")}). Choose free ranges; only buffers that are both shared may overlap.`,
      );
    }
    this.#store.record({ at: Date.now(), actor, action: "buffer.defined", buffer: name, detail: definition });
    for (const one of others) this.#drop(one);
    return this.#add(definition, false);
  }

  /** @throws AgentError NOT_FOUND, NOT_ALLOWED, IN_USE, STORE_READ_ONLY */
  remove(name: string, actor: string): void {
    const buffer = this.get(name);
    if (buffer.builtin)
      throw new AgentError("NOT_ALLOWED", `Buffer "${name}" comes with ${buffer.device.name} and stays.`);
    const { users } = buffer;
    if (users > 0)
      throw new AgentError(
        "IN_USE",
        `Buffer "${name}" has ${users} delegations or reservations. End them first: \`lendbuf delegations --buffer ${name}\` and \`lendbuf reservations --buffer ${name}\` list them.`,
      );
    this.#store.record({
      at: Date.now(),
      actor,
      action: "buffer.removed",
      buffer: name,
      detail: { device: buffer.device.name },
    });
    this.#drop(buffer);
    this.takeUp(buffer.device);
  }

  #drop(buffer: Buffer<Holder>): void {
    this.#byName.delete(buffer.name);
    this.#sorted = undefined;
    this.#peers(buffer.definition).delete(buffer);
  }

  #add(definition: BufferDefinition, builtin: boolean): Buffer<Holder> {
    const buffer = new Buffer<Holder>(definition, this.#devices.get(definition.device)!, builtin, this.ahead);
    this.#byName.set(buffer.name, buffer);
    this.#sorted = undefined;
    this.#peers(definition).add(buffer);
    return buffer;
  }

  #inOrder(): Buffer<Holder>[] {
    this.#sorted ??= [...this.#byName.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#sorted;
  }

  #peers({ share, device, region }: BufferDefinition): Set<Buffer<Holder>> {
    const map = share === "exclusive" ? this.#exclusive : this.#shared;
    const key = `${device}/${region}`;
    let set = map.get(key);
    if (!set) map.set(key, (set = new Set()));
    return set;
  }

  #overlapping(definition: BufferDefinition): Buffer<Holder>[] {
    const peers = [...this.#peers({ ...definition, share: "exclusive" })];
    if (definition.share === "exclusive") peers.push(...this.#peers({ ...definition, share: "shared" }));
    return peers.filter((other) => overlaps(definition.ranges, other.definition.ranges));
  }
}

/** What the store has: a definition from before there were tags has none. */
function definitionOf(stored: Omit<BufferDefinition, "tags"> & Partial<BufferDefinition>): BufferDefinition {
  return { ...stored, tags: stored.tags ?? [] };
}

function checkScrub({ name, share, scrub }: BufferDefinition): void {
  if (share === "shared" && scrub !== "none")
    throw new AgentError(
      "BAD_INPUT",
      `Buffer "${name}" is only ever read, so nobody leaves anything in it to scrub. Leave the scrub or the sharing out.`,
    );
}

function checkRanges({ name, region: index, ranges }: BufferDefinition, device: Device): void {
  const region = device.regions.find((candidate) => candidate.index === index);
  const bad = (problem: string) => new AgentError("BAD_INPUT", `Buffer "${name}" cannot be: ${problem}`);
  if (!region)
    throw bad(`${device.name} has no region ${index}. It has ${device.regions.map(({ index }) => index).join(", ")}.`);
  if (region.unlendable)
    throw bad(`region ${index} of ${device.name} cannot be lent: ${UNLENDABLE[region.unlendable]}.`);
  const { withheld } = region;
  ranges.forEach((range, i) => {
    if (range.length === 0) throw bad(`range ${show(range)} is empty.`);
    if (range.offset % PAGE_SIZE || range.length % PAGE_SIZE)
      throw bad(`range ${show(range)} is not aligned to pages of ${PAGE_SIZE} bytes.`);
    if (range.offset + range.length > region.size)
      throw bad(`range ${show(range)} reaches past the end of region ${index}, which has ${hex(region.size)} bytes.`);
    if (withheld && overlaps([range], [withheld]))
      throw bad(
        `range ${show(range)} holds the MSI-X table, whose pages ${show(withheld)} are never lent: who writes there chooses what the device's interrupts do.`,
      );
    if (overlaps([range], ranges.slice(0, i))) throw bad(`range ${show(range)} overlaps another range of its own.`);
  });
}

const UNLENDABLE: Record<Unlendable, string> = {
  "io-ports": "it is an I/O BAR, which is no memory",
  unassigned: "it is not there, or has no address",
  "msix-table": "all of its pages hold the MSI-X table",
  "sub-page": `it is smaller than a page of ${PAGE_SIZE} bytes, and shares it with others`,
};

function show({ offset, length }: { offset: number; length: number }): string {
  return `${hex(offset)}+${hex(length)}`;
}

function hex(value: number): string {
  return `0x${value.toString(16)}`;
}

function* from<Holder extends Occupant>(
  sorted: Buffer<Holder>[],
  cursor: string | undefined,
): Iterable<Buffer<Holder>> {
  for (let i = cursor === undefined ? 0 : firstAfter(sorted, cursor); i < sorted.length; i++) yield sorted[i]!;
}

/** Binary search: pages of a hundred thousand are asked for one after the other. */
function firstAfter(sorted: { name: string }[], cursor: string): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.name <= cursor) low = middle + 1;
    else high = middle;
  }
  return low;
}

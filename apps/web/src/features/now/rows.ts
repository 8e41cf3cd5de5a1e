import type { DelegationsState, OccupancyState } from "@lendbuf/shared/api";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { Device } from "@lendbuf/shared/device";
import type { StateWord } from "../delegation/state-mark.tsx";
import { stateOf } from "../delegation/state-of.ts";

/** A buffer and what is known of it right now. */
export interface BufferRow {
  kind: "buffer";
  key: string;
  buffer: BufferView;
  state: StateWord;
  /** Those that occupy it, as far as the caller may see them: the first that lives, then the others by id. */
  holders: Delegation[];
  /** Whose it is where no record has come, as among very many. */
  account: string | null;
  expiresAt: number | null;
  /** How many occupy it that the caller may not see. */
  hidden: number;
  waiting: number;
  /** Why nobody gets it, though nobody has it. */
  held: string | null;
  /** Its newest end that the agent still tells of. */
  lastEnd: Delegation | undefined;
}

/** One of several that share a buffer, below it. */
export interface HolderRow {
  kind: "holder";
  key: string;
  delegation: Delegation;
}

export interface DeviceRow {
  kind: "device";
  key: string;
  device: Device | undefined;
  name: string;
  count: number;
}

export type Row = BufferRow | HolderRow | DeviceRow;

export const FILTERS = ["all", "free", "offered", "lent", "revoking", "waiting", "trouble"] as const;
export type Filter = (typeof FILTERS)[number];

const TROUBLE: readonly StateWord[] = ["lost", "held", "suspended", "unproven"];

/** Every buffer with who has it, in order of device and name. */
export function bufferRows(
  buffers: readonly BufferView[],
  occupancy: OccupancyState | undefined,
  delegations: DelegationsState | undefined,
): BufferRow[] {
  const taken = new Map(occupancy?.items.map((item) => [item.name, item]));
  const holders = groupBy(
    (delegations?.items ?? []).filter(({ state }) => state !== "waiting"),
    ({ buffer }) => buffer,
  );
  const ends = new Map<string, Delegation>();
  for (const end of delegations?.recent ?? []) if (!ends.has(end.buffer)) ends.set(end.buffer, end);
  return buffers.map((buffer) => {
    const now = taken.get(buffer.name);
    const its = (holders.get(buffer.name) ?? []).sort(byLife);
    const first = now?.current[0];
    return {
      kind: "buffer",
      key: buffer.name,
      buffer,
      state: its[0] ? stateOf(its[0]) : (now?.state ?? "free"),
      holders: its,
      account: its[0]?.account ?? first?.account ?? null,
      expiresAt: its[0]?.expiresAt ?? first?.expiresAt ?? null,
      hidden: Math.max(0, (now?.occupied ?? 0) - Math.max(its.length, now?.current.length ?? 0)),
      waiting: now?.waiting ?? 0,
      held: now?.held?.reason ?? null,
      lastEnd: ends.get(buffer.name),
    };
  });
}

/** Who holds it now comes before who is being taken off it. */
function byLife(a: Delegation, b: Delegation): number {
  const rank = ({ state }: Delegation) => (state === "active" ? 0 : state === "offered" ? 1 : 2);
  return rank(a) - rank(b) || a.id - b.id;
}

export function matchesFilter({ state, waiting, holders }: BufferRow, filter: Filter): boolean {
  if (filter === "all") return true;
  if (filter === "waiting") return waiting > 0;
  if (filter === "trouble") return TROUBLE.includes(state) || holders.some((it) => TROUBLE.includes(stateOf(it)));
  return state === filter || holders.some((it) => stateOf(it) === filter);
}

export function matchesSearch({ buffer, account, holders }: BufferRow, search: string): boolean {
  if (search === "") return true;
  const has = (text: string | null | undefined) => text?.toLowerCase().includes(search) ?? false;
  return (
    has(buffer.name) ||
    has(buffer.description) ||
    buffer.tags.some((tag) => has(`#${tag}`)) ||
    has(account) ||
    holders.some(
      ({ id, account: its, purpose, client }) =>
        has(its) || has(purpose) || has(client?.command) || search === String(id) || search === String(client?.pid),
    )
  );
}

export function countRows(rows: readonly BufferRow[]): Record<Filter, number> {
  const counts = Object.fromEntries(FILTERS.map((filter) => [filter, 0])) as Record<Filter, number>;
  for (const row of rows) for (const filter of FILTERS) if (matchesFilter(row, filter)) counts[filter]++;
  return counts;
}

/** Below a heading for each device; those who share a buffer have a row each. */
export function grouped(rows: readonly BufferRow[], devices: readonly Device[]): Row[] {
  return [...groupBy(rows, ({ buffer }) => buffer.device)].flatMap(([name, its]) => [
    {
      kind: "device",
      key: `device ${name}`,
      name,
      device: devices.find((device) => device.name === name),
      count: its.length,
    } satisfies DeviceRow,
    ...its.flatMap((row): Row[] => [
      row,
      ...(row.holders.length > 1
        ? row.holders.map((delegation) => ({ kind: "holder", key: `delegation ${delegation.id}`, delegation }) as const)
        : []),
    ]),
  ]);
}

function groupBy<Item>(items: readonly Item[], keyOf: (item: Item) => string): Map<string, Item[]> {
  const groups = new Map<string, Item[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

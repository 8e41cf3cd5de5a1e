import type { Delegation } from "@lendbuf/shared/delegation";
import { isFinal, isOccupying, mayEnd, mayFollow } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Buffer } from "../buffers/buffer.ts";
import type { Deadlines } from "../clock/deadlines.ts";
import { Signal } from "../clock/signal.ts";
import { lastId } from "../store/retention.ts";
import type { Draft, Store } from "../store/store.ts";
import { goesBefore, type Live, newLive, type Record, recordOf, viewOf, viewOfRecord } from "./live.ts";

export interface Change {
  actor: string;
  action: string;
  /** The fields that change. */
  patch: Partial<Record>;
}

/** The live delegations: in memory and, a decision at a time, in the store. Knows no rules but which state may follow which. */
export class Ledger {
  readonly live = new Map<number, Live>();
  /** The records of those that ended last, the newest first. */
  readonly recent: Record[] = [];
  /** Something about some delegation changed. */
  readonly changed: Signal;
  /** A time of this delegation has come: its offer's, its notice's or its lease's end. */
  onDeadline: (live: Live) => void = () => {};
  /** One has ended; it may not be on disk yet. */
  onEnd: (record: Record) => void = () => {};
  readonly #byAccount = new Map<string, Set<Live>>();
  /** Some of them were decided upon. */
  onChange: (lives: readonly Live[], change: Pick<Change, "action" | "patch">) => void = () => {};
  /** How many live ones each account has. */
  readonly #counts = new Map<string, { total: number; waiting: number }>();
  readonly #store: Store;
  readonly #clock: Deadlines;
  #nextId = 1;

  constructor(store: Store, clock: Deadlines, changed: Signal) {
    this.changed = new Signal(changed);
    this.#store = store;
    this.#clock = clock;
    this.learnNextId();
  }

  /** Ids go on after the highest that the store knows; asked again when a store could be opened at last. */
  learnNextId(): void {
    this.#nextId = Math.max(this.#nextId, lastId(this.#store) + 1);
  }

  /** Those of an account. */
  of(account: string): Iterable<Live> {
    return this.#byAccount.get(account) ?? [];
  }

  countOf(account: string): { total: number; waiting: number } {
    return this.#counts.get(account) ?? { total: 0, waiting: 0 };
  }

  /** @throws AgentError STORE_READ_ONLY, and then nothing has happened */
  create(fields: Omit<Record, "id">, target: Buffer<Live>, change: Omit<Change, "patch">): Live {
    const record: Record = { ...fields, id: this.#nextId };
    this.#store.record(draftOf([record], { ...change, patch: newRecordOf(record) }));
    this.#nextId++;
    const live = newLive(record, target);
    this.add(live);
    this.onChange([live], { action: change.action, patch: {} });
    this.#tell([live]);
    return live;
  }

  /** Takes one up that the store knew at start. */
  add(live: Live): void {
    live.target.changes++;
    this.live.set(live.record.id, live);
    const { account } = live.record;
    const own = this.#byAccount.get(account);
    if (own) own.add(live);
    else this.#byAccount.set(account, new Set([live]));
    this.#count(live.record, 1);
    this.#place(live);
  }

  /** For grants: durable before it takes effect. @throws AgentError STORE_READ_ONLY, and then nothing has changed */
  grant(live: Live, change: Change): void {
    this.#store.record(draftOf([live.record], change));
    this.#apply(live, change.patch);
    this.onChange([live], change);
    this.#tell([live]);
  }

  /**
   * For what is enforced whether it can be written or not. Many at once are one row; with `project` false that row is all that
   * is written, and the delegations' own records follow with the next change.
   */
  settle(lives: readonly Live[], change: Change, project = true): void {
    if (lives.length === 0) return;
    for (const live of lives) {
      live.unrecorded = true;
      this.#apply(live, change.patch);
    }
    this.onChange(lives, change);
    const draft = draftOf(
      lives.map(({ record }) => record),
      change,
    );
    this.#store.recordLater(project ? draft : { ...draft, state: undefined }, () => {
      for (const live of lives) {
        live.unrecorded = false;
        if (isFinal(live.record.state)) this.#drop(live);
      }
    });
    this.#tell(lives);
  }

  /** Changes what is seen, not what is on disk: the record follows, or a restart finds the same by itself. */
  show(lives: readonly Live[], patch: Partial<Record>): void {
    for (const live of lives) this.#apply(live, patch);
    this.#tell(lives);
  }

  /** Wakes at the next of the delegation's times. */
  schedule(live: Live): void {
    live.deadline?.cancel();
    const times = [live.lapsesAt, live.noticesAt[0] ?? null, live.leaseEndsAt, live.announced?.at ?? null].filter(
      (time) => time !== null,
    );
    live.deadline = times.length > 0 ? this.#clock.at(Math.min(...times), () => this.onDeadline(live)) : null;
  }

  /** @throws AgentError NOT_FOUND */
  view(id: number): Delegation {
    const live = this.live.get(id);
    if (live) return viewOf(live);
    const [row] = this.#store.all<{ record: string }>("SELECT record FROM delegation_records WHERE id = ?", id);
    if (!row)
      throw new AgentError("NOT_FOUND", `There is no delegation ${id}. \`lendbuf delegations --all\` lists them.`);
    return viewOfRecord(recordOf(JSON.parse(row.record)));
  }

  #apply(live: Live, patch: Partial<Record>): void {
    const { record } = live;
    live.target.changes++;
    const before = record.state;
    const next = patch.state ?? before;
    if (next === before) {
      Object.assign(record, patch);
      return;
    }
    if (!mayFollow(before, next)) throw new Error(`delegation ${record.id} cannot go from ${before} to ${next}`);
    if (patch.reason && !mayEnd(patch.reason, before) && before !== "revoking") {
      throw new Error(`delegation ${record.id} cannot end as ${patch.reason} while it is ${before}`);
    }
    this.#count(record, -1);
    Object.assign(record, patch);
    if (isFinal(next)) this.onEnd(record);
    else this.#count(record, 1);
    this.#place(live);
  }

  #place(live: Live): void {
    const { occupants, queue } = live.target;
    if (isOccupying(live.record.state)) occupants.add(live);
    else occupants.delete(live);
    if (live.record.state === "waiting") {
      let place = queue.length;
      while (place > 0 && goesBefore(live.record, queue[place - 1]!.record)) place--;
      queue.splice(place, 0, live);
      return;
    }
    const index = queue.indexOf(live);
    if (index >= 0) queue.splice(index, 1);
  }

  #count({ account, state }: Record, by: 1 | -1): void {
    const count = this.#counts.get(account) ?? { total: 0, waiting: 0 };
    count.total += by;
    if (state === "waiting") count.waiting += by;
    if (count.total === 0) this.#counts.delete(account);
    else this.#counts.set(account, count);
  }

  #drop(live: Live): void {
    this.recent.unshift(live.record);
    this.recent.length = Math.min(this.recent.length, MAX_RECENT);
    live.deadline?.cancel();
    live.deadline = null;
    this.live.delete(live.record.id);
    const own = this.#byAccount.get(live.record.account);
    own?.delete(live);
    if (own?.size === 0) this.#byAccount.delete(live.record.account);
  }

  #tell(lives: readonly Live[]): void {
    for (const live of lives) live.changed?.notify();
    this.changed.notify();
  }
}

const MAX_RECENT = 50;

function draftOf(records: readonly Record[], { actor, action, patch }: Change): Draft {
  const at = Date.now();
  const [first] = records;
  if (records.length > 1) {
    return { at, actor, action, delegations: records.map(({ id }) => id), state: patch.state, detail: patch };
  }
  const { id, buffer, account, state } = first!;
  return { at, actor, action, delegation: id, buffer, account, state: patch.state ?? state, detail: patch };
}

/** What a new record says: JSON leaves out what is undefined. Field by field, for each borrow passes here. */
function newRecordOf(record: Record): Partial<Record> {
  return {
    id: record.id,
    buffer: record.buffer,
    device: record.device,
    account: record.account,
    requestedBy: record.requestedBy,
    state: record.state,
    access: record.access,
    share: record.share,
    keep: record.keep,
    size: record.size,
    leaseMs: record.leaseMs,
    offerMs: record.offerMs,
    requestedAt: record.requestedAt,
    purpose: record.purpose ?? undefined,
    priority: record.priority || undefined,
    idleMs: record.idleMs ?? undefined,
    offeredAt: record.offeredAt ?? undefined,
    offerEndsAt: record.offerEndsAt ?? undefined,
    claimedAt: record.claimedAt ?? undefined,
    expiresAt: record.expiresAt ?? undefined,
    client: record.client ?? undefined,
    renews: record.renews ?? undefined,
    reservation: record.reservation ?? undefined,
    until: record.until ?? undefined,
    shorten: record.shorten || undefined,
    exporter: record.exporter ?? undefined,
    export: record.export ?? undefined,
  } as Partial<Record>;
}

import { AgentError } from "@lendbuf/shared/errors";
import type { Ahead } from "../buffers/ahead.ts";
import type { Store } from "../store/store.ts";
import type { Booking } from "./record.ts";

/** The reservations whose time is still to come: in memory and, a decision at a time, in the store. Knows no rules. */
export class Book {
  readonly booked = new Map<number, Booking>();
  /** The same by buffer, each buffer's by their beginnings. */
  readonly byBuffer = new Map<string, Booking[]>() satisfies ReadonlyMap<string, readonly Ahead[]>;
  readonly #store: Store;
  #nextId = 1;

  constructor(store: Store) {
    this.#store = store;
    this.load();
  }

  /** Takes up what the store knows: at start, and when a store could be opened at last. */
  load(): void {
    const [row] = this.#store.all<{ last: number | null }>("SELECT max(id) AS last FROM reservations");
    this.#nextId = Math.max(this.#nextId, (row?.last ?? 0) + 1);
    for (const { record } of this.#store.all<{ record: string }>(
      "SELECT record FROM reservations WHERE state = 'booked'",
    )) {
      const booking = JSON.parse(record) as Booking;
      if (!this.booked.has(booking.id)) this.#add(booking);
    }
  }

  countOf(account: string): number {
    return [...this.booked.values()].filter((booking) => booking.account === account).length;
  }

  /** In order of their beginnings. */
  inOrder(): Booking[] {
    return [...this.booked.values()].sort(byBeginning);
  }

  /** When the next one begins. */
  get next(): number | undefined {
    return this.booked.size === 0 ? undefined : Math.min(...[...this.booked.values()].map(({ from }) => from));
  }

  /** @throws AgentError STORE_READ_ONLY, and then nothing has happened */
  create(fields: Omit<Booking, "id">, actor: string): Booking {
    const booking: Booking = { id: this.#nextId, ...fields };
    const { account, buffer, createdAt: at } = booking;
    this.#store.record({ at, actor, action: "reservation.created", buffer, account, detail: withoutNulls(booking) });
    this.#nextId++;
    this.#add(booking);
    return booking;
  }

  /** It will not begin. That holds whether it can be written or not. */
  end(booking: Booking, state: "cancelled" | "missed", actor: string): void {
    const { id, buffer, account } = booking;
    booking.state = state;
    this.#drop(booking);
    this.#store.recordLater({
      at: Date.now(),
      actor,
      action: `reservation.${state}`,
      buffer,
      account,
      detail: { id, state },
    });
  }

  /** It has become a delegation, which the store knows already. */
  begun(booking: Booking, delegation: number): void {
    booking.state = "begun";
    booking.delegation = delegation;
    this.#drop(booking);
  }

  /** Also one that is over. @throws AgentError NOT_FOUND */
  get(id: number): Booking {
    const booked = this.booked.get(id);
    if (booked) return booked;
    const [row] = this.#store.all<{ record: string }>("SELECT record FROM reservations WHERE id = ?", id);
    if (row) return bookingOf(row.record);
    throw new AgentError("NOT_FOUND", `There is no reservation ${id}. \`lendbuf reservations --all\` lists them.`);
  }

  /** All that ever were, the last first; after the cursor's place. */
  *history(before: { from: number; id: number } | undefined): Iterable<Booking> {
    const { from, id } = before ?? { from: Number.MAX_SAFE_INTEGER, id: Number.MAX_SAFE_INTEGER };
    for (const { record } of this.#store.iterate<{ record: string }>(
      "SELECT record FROM reservations WHERE (from_at, id) < (?, ?) ORDER BY from_at DESC, id DESC",
      from,
      id,
    ))
      yield bookingOf(record);
  }

  #add(booking: Booking): void {
    const whole = { ...BLANK, ...booking };
    this.booked.set(whole.id, whole);
    const its = this.byBuffer.get(whole.buffer) ?? [];
    this.byBuffer.set(whole.buffer, [...its, whole].sort(byBeginning));
  }

  #drop(booking: Booking): void {
    this.booked.delete(booking.id);
    const left = (this.byBuffer.get(booking.buffer) ?? []).filter(({ id }) => id !== booking.id);
    if (left.length > 0) this.byBuffer.set(booking.buffer, left);
    else this.byBuffer.delete(booking.buffer);
  }
}

const BLANK = { purpose: null, exporter: null, delegation: null };

function bookingOf(record: string): Booking {
  return { ...BLANK, ...JSON.parse(record) } as Booking;
}

function withoutNulls(booking: Booking): object {
  return Object.fromEntries(Object.entries(booking).filter(([, value]) => value !== null));
}

function byBeginning(one: Booking, other: Booking): number {
  return one.from - other.from || one.id - other.id;
}

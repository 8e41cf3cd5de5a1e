import { BootTimer, bootTimeMs } from "@lendbuf/native/addon";

export interface Deadline {
  cancel(): void;
}

interface Entry extends Deadline {
  at: number;
  run: () => void;
  /** Place in the heap; -1 once it ran or was cancelled. */
  place: number;
}

/**
 * Calls back at times of the boot clock, in order, however far away: setTimeout overflows after 24.8 days and stands still
 * while the machine sleeps. One kernel timer serves all of them.
 */
export class Deadlines {
  #heap: Entry[] = [];
  #timer = new BootTimer(() => this.#fire());
  #armedAt: number | undefined;

  now(): number {
    return bootTimeMs();
  }

  /** `at` in milliseconds of the boot clock. */
  at(at: number, run: () => void): Deadline {
    const entry: Entry = { at, run, place: this.#heap.length, cancel: () => this.#remove(entry) };
    this.#heap.push(entry);
    this.#up(entry.place);
    this.#arm();
    return entry;
  }

  after(ms: number, run: () => void): Deadline {
    return this.at(this.now() + ms, run);
  }

  close(): void {
    this.#heap = [];
    this.#timer.close();
  }

  #fire(): void {
    this.#armedAt = undefined;
    const now = this.now();
    while (this.#heap.length > 0 && this.#heap[0]!.at <= now) {
      const entry = this.#heap[0]!;
      this.#remove(entry);
      entry.run();
    }
    this.#arm();
  }

  #arm(): void {
    const next = this.#heap[0]?.at;
    // A timer that fires too early finds nothing due and is set anew: cheaper than setting it at each cancellation.
    if (next === undefined || (this.#armedAt !== undefined && this.#armedAt <= next)) return;
    this.#armedAt = next;
    this.#timer.set(next);
  }

  #remove(entry: Entry): void {
    const place = entry.place;
    if (place < 0) return;
    entry.place = -1;
    const last = this.#heap.pop()!;
    if (last === entry) return;
    this.#put(last, place);
    this.#up(place);
    this.#down(last.place);
  }

  #put(entry: Entry, place: number): void {
    this.#heap[place] = entry;
    entry.place = place;
  }

  #up(place: number): void {
    const entry = this.#heap[place]!;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (this.#heap[parent]!.at <= entry.at) break;
      this.#put(this.#heap[parent]!, place);
      place = parent;
    }
    this.#put(entry, place);
  }

  #down(place: number): void {
    const entry = this.#heap[place]!;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#heap[child + 1]!.at < this.#heap[child]!.at) child++;
      if (this.#heap[child]!.at >= entry.at) break;
      this.#put(this.#heap[child]!, place);
      place = child;
    }
    this.#put(entry, place);
  }
}

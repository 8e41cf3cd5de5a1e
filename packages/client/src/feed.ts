/** What a subscription delivers, until it ends. Values wait here for a slow reader: all of them, or only the latest. */
export class Feed<T> implements AsyncIterableIterator<T> {
  readonly #latestOnly: boolean;
  readonly #onReturn: () => void;
  readonly #values: T[] = [];
  readonly #readers: Reader<T>[] = [];
  #end: { error: unknown } | undefined;

  constructor(options: { latestOnly: boolean; onReturn(): void }) {
    this.#latestOnly = options.latestOnly;
    this.#onReturn = options.onReturn;
  }

  push(value: T): void {
    if (this.#end) return;
    const reader = this.#readers.shift();
    if (reader) reader.resolve({ done: false, value });
    else {
      if (this.#latestOnly) this.#values.length = 0;
      this.#values.push(value);
    }
  }

  /** Without an error: it is complete. The first end counts; what arrived before it can still be read. */
  end(error?: unknown): void {
    if (this.#end) return;
    this.#end = { error };
    for (const reader of this.#readers.splice(0)) {
      if (error === undefined) reader.resolve({ done: true, value: undefined });
      else reader.reject(error);
    }
  }

  next(): Promise<IteratorResult<T>> {
    if (this.#values.length > 0) return Promise.resolve({ done: false, value: this.#values.shift()! });
    if (!this.#end) return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
    const { error } = this.#end;
    this.#end = { error: undefined };
    return error === undefined ? Promise.resolve({ done: true, value: undefined }) : Promise.reject(error);
  }

  return(): Promise<IteratorResult<T>> {
    this.#values.length = 0;
    if (!this.#end) this.#onReturn();
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

interface Reader<T> {
  resolve(result: IteratorResult<T>): void;
  reject(error: unknown): void;
}

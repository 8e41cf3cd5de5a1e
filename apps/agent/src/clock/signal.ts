/** Tells those who wait that something changed. They look at the state themselves, so bursts collapse and nobody has a backlog. */
export class Signal {
  #waiting = new Set<() => void>();
  readonly #parent: Signal | undefined;

  /** What is told here is told to the parent too. */
  constructor(parent?: Signal) {
    this.#parent = parent;
  }

  notify(): void {
    this.#parent?.notify();
    const woken = this.#waiting;
    if (woken.size === 0) return;
    this.#waiting = new Set();
    for (const wake of woken) wake();
  }

  /** Resolves at the next `notify`, or when `stop` is aborted. */
  next(stop?: AbortSignal): Promise<void> {
    if (stop?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const wake = () => {
        stop?.removeEventListener("abort", cancel);
        resolve();
      };
      const cancel = () => {
        this.#waiting.delete(wake);
        resolve();
      };
      stop?.addEventListener("abort", cancel, { once: true });
      this.#waiting.add(wake);
    });
  }
}

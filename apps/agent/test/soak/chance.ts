/** What is left to chance. Without a seed: so many processes never run in the same order twice. */
export const chance = {
  /** True so often of once. */
  of: (share: number): boolean => Math.random() < share,
  /** A whole number, both ends among them. */
  between,
  pick,
  /** As people and programs have other things to do; at most so long. */
  pause: (mostMs: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, Math.random() * mostMs)),
};

function between(least: number, most: number): number {
  return least + Math.floor(Math.random() * (most - least + 1));
}

/** Undefined of none. */
function pick<T>(of: readonly [T, ...T[]]): T;
function pick<T>(of: readonly T[]): T | undefined;
function pick<T>(of: readonly T[]): T | undefined {
  return of[between(0, of.length - 1)];
}

import { randomBytes } from "node:crypto";
import { AgentError } from "@lendbuf/shared/errors";

/** RFC 9106's second choice: 64 MiB, three passes, four lanes. */
const COST = { memoryCost: 65_536, timeCost: 3, parallelism: 4 };
const MAX_WAITING = 16;
const MAX_WAITING_OF_ONE = 2;

/**
 * Hashes passwords with argon2id: off the main thread, and one at a time, so that a flood of logins takes one thread and 64 MiB,
 * however large it is. `source`: whose work it is, of whom none gets the whole line.
 */
export class Argon {
  #last: Promise<unknown> = Promise.resolve();
  readonly #waiting = new Map<string, number>();

  /** @throws AgentError LIMIT */
  hash(password: string, source: string): Promise<string> {
    return this.#inLine(source, async () => (await library()).hash(normal(password), COST));
  }

  /** @throws AgentError LIMIT */
  fits(password: string, hash: string, source: string): Promise<boolean> {
    return this.#inLine(source, async () => (await library()).verify(hash, normal(password)));
  }

  /** Whether a hash was made at another cost than is asked for today. */
  async isOutdated(hash: string): Promise<boolean> {
    const made = (await library()).parseOptions(hash);
    return Object.entries(COST).some(([name, value]) => made[name as keyof typeof COST] !== value);
  }

  async #inLine<T>(source: string, work: () => Promise<T>): Promise<T> {
    const own = this.#waiting.get(source) ?? 0;
    const all = [...this.#waiting.values()].reduce((sum, count) => sum + count, 0);
    if (own >= MAX_WAITING_OF_ONE || all >= MAX_WAITING)
      throw new AgentError("LIMIT", "Too many passwords are being checked at this moment. Try again in a few seconds.");
    this.#waiting.set(source, own + 1);
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => undefined);
    try {
      return await turn;
    } finally {
      const left = this.#waiting.get(source)! - 1;
      if (left > 0) this.#waiting.set(source, left);
      else this.#waiting.delete(source);
    }
  }
}

/** A hash that no password fits and that takes as long to compare: for names that nobody has. */
export function decoyHash(): string {
  const { memoryCost, timeCost, parallelism } = COST;
  const part = (bytes: number) => randomBytes(bytes).toString("base64").replaceAll("=", "");
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${part(16)}$${part(32)}`;
}

/** Machine code that an agent without passwords never loads. */
function library() {
  return import("@node-rs/argon2");
}

/** The same letters may be typed as other bytes on another keyboard. */
function normal(password: string): string {
  return password.normalize("NFKC");
}

import type { Connection } from "@lendbuf/client/connection";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { noticesOf, reminderMs, reminderOf } from "./notices.ts";

/** Longest that setTimeout can wait. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export interface Follower {
  onState?(delegation: Delegation): void;
  onNotice(notice: string): void;
}

/** Tells what becomes of a delegation until it has ended, and returns how. Throws ConnectionLost, or the signal's reason. */
export async function follow(
  agent: Connection,
  start: Delegation,
  follower: Follower,
  signal?: AbortSignal,
): Promise<Delegation> {
  let latest = start;
  using reminder = new Reminder((delegation) => follower.onNotice(reminderOf(delegation)));
  reminder.set(latest);
  for await (const delegation of agent.subscribe("delegations.follow", { id: start.id }, { signal })) {
    for (const notice of noticesOf(latest, delegation)) follower.onNotice(notice);
    follower.onState?.(delegation);
    latest = delegation;
    reminder.set(latest);
    if (isFinal(latest.state)) break;
  }
  return latest;
}

class Reminder implements Disposable {
  readonly #remind: (delegation: Delegation) => void;
  #timer: NodeJS.Timeout | undefined;
  #setFor: number | null = null;

  constructor(remind: (delegation: Delegation) => void) {
    this.#remind = remind;
  }

  set(delegation: Delegation): void {
    const expiresAt = delegation.state === "active" ? delegation.expiresAt : null;
    if (expiresAt === this.#setFor) return;
    this.#setFor = expiresAt;
    clearTimeout(this.#timer);
    if (expiresAt !== null) this.#wait(expiresAt - reminderMs(delegation), delegation);
  }

  #wait(until: number, delegation: Delegation): void {
    const left = Math.max(0, until - Date.now());
    const step = Math.min(left, MAX_TIMEOUT_MS);
    this.#timer = setTimeout(() => (step < left ? this.#wait(until, delegation) : this.#remind(delegation)), step);
    this.#timer.unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

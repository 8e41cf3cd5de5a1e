import type { DelegationsState } from "@lendbuf/shared/api";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { harmless } from "@lendbuf/shared/harmless";
import { describeAccess, describeEnd, describePlace } from "../output/delegation.ts";
import { clock } from "../output/time.ts";

/** What is new from one state of the list to the next, one line each. */
export class Changes {
  readonly #get: (id: number) => Promise<Delegation>;
  #known = new Map<number, string>();

  /** `get` tells how one ended that is no longer listed. */
  constructor(get: (id: number) => Promise<Delegation>) {
    this.#get = get;
  }

  async since({ items }: DelegationsState): Promise<string[]> {
    const now = new Map(items.map((it) => [it.id, describe(it)]));
    const gone = await Promise.all([...this.#known.keys()].filter((id) => !now.has(id)).map((id) => this.#get(id)));
    const ended = gone.filter(({ state }) => isFinal(state)).map(describe);
    const changed = [...now].filter(([id, text]) => this.#known.get(id) !== text).map(([, text]) => text);
    this.#known = now;
    return [...ended, ...changed].map(stamped);
  }
}

/** How one stands now. */
export function changeLine(delegation: Delegation): string {
  return stamped(describe(delegation));
}

function stamped(text: string): string {
  return `${clock(Date.now())}  ${text}`;
}

function describe(delegation: Delegation): string {
  const { id, buffer, account, state, reason, client, expiresAt, ending, suspended } = delegation;
  const facts = [
    reason,
    isFinal(state) || state === "revoking" ? describeEnd(delegation) : describeAccess(delegation),
    state === "waiting" && `in line, ${describePlace(delegation)}`,
    client && `pid ${client.pid} ${client.command ?? ""}`.trimEnd(),
    state === "active" && expiresAt !== null && `until ${clock(expiresAt)}`,
    suspended && "suspended",
    ending && `${ending.reason} announced for ${clock(ending.at)}`,
  ];
  return harmless([id, buffer, account, state, facts.filter(Boolean).join(", ")].join("  "));
}

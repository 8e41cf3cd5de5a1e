import type { Calls } from "@lendbuf/client/calls";
import type { Account } from "@lendbuf/shared/account";
import type { Delegation } from "@lendbuf/shared/delegation";
import { pages } from "../pages.ts";
import { delegations, type Plan, plan, type Refusal, refuse, roleRefusal } from "./plan.ts";

const WORDS = { "accounts.create": "make", "accounts.update": "change", "accounts.remove": "remove" } as const;

/** Of an account that is made, changed or removed; `ends`: with all that it has. */
export async function planAccount(agent: Calls, method: keyof typeof WORDS, name: string, ends = false): Promise<Plan> {
  const hits = ends ? await liveOfAccount(agent, name) : [];
  const also = hits.length > 0 ? ` and end ${delegations(hits.length)}` : "";
  const refusal = (await roleRefusal(agent, method)) ?? (await wrongName(agent, method, name));
  return plan(`${WORDS[method]} account ${name}${also}`, { hits, refusal });
}

export async function liveOfAccount(agent: Calls, account: string): Promise<Delegation[]> {
  const found: Delegation[] = [];
  for await (const { items } of pages((page: { cursor?: number; limit: number }) =>
    agent.call("delegations.list", { account, ...page }),
  ))
    found.push(...items);
  return found;
}

async function wrongName(agent: Calls, method: keyof typeof WORDS, name: string): Promise<Refusal | null> {
  const all = await accounts(agent);
  const isKnown = all.some((account) => account.name === name);
  if (method === "accounts.create")
    return isKnown ? refuse("ALREADY_EXISTS", `Account ${name} exists already. Choose another name.`) : null;
  if (all.some(({ name: one, source }) => one === name && source === "config"))
    return refuse("NOT_ALLOWED", `Account ${name} stands in the agent's configuration file. Change it there.`);
  return isKnown ? null : refuse("NOT_FOUND", `There is no account ${name}. lendbuf account list lists them.`);
}

export async function accounts(agent: Calls): Promise<Account[]> {
  const all: Account[] = [];
  for await (const { items } of pages((page: { cursor?: string; limit: number }) => agent.call("accounts.list", page)))
    all.push(...items);
  return all;
}

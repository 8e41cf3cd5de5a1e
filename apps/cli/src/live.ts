import type { Calls } from "@lendbuf/client/calls";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { pages } from "./pages.ts";

/** One after the other: an agent limits how much one connection may ask at a time. */
export async function getEach(agent: Calls, ids: readonly number[]): Promise<Delegation[]> {
  const found: Delegation[] = [];
  for (const id of ids) found.push(await agent.call("delegations.get", { id }));
  return found;
}

/** Those that fit all that is named. */
export interface Scope {
  device?: string | undefined;
  account?: string | undefined;
  tag?: string | undefined;
}

/** All in scope that have not ended. */
export async function liveOf(agent: Calls, { device, account, tag }: Scope = {}): Promise<Delegation[]> {
  const tagged = tag === undefined ? undefined : await namesOf(agent, tag);
  const live: Delegation[] = [];
  for await (const { items } of pages((page: { cursor?: number; limit: number }) =>
    agent.call("delegations.list", { ...(account !== undefined && { account }), ...page }),
  ))
    live.push(
      ...items.filter(
        (it) => !isFinal(it.state) && (!device || it.device === device) && (!tagged || tagged.has(it.buffer)),
      ),
    );
  return live;
}

async function namesOf(agent: Calls, tag: string): Promise<Set<string>> {
  const names = new Set<string>();
  for await (const { items } of pages((page: { cursor?: string; limit: number }) =>
    agent.call("buffers.list", { tag, ...page }),
  ))
    for (const { name } of items) names.add(name);
  return names;
}

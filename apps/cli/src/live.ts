import type { Calls } from "@lendbuf/client/calls";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { pages } from "./pages.ts";

/** One after the other: an agent limits how much one connection may ask at a time. */
export async function getEach(agent: Calls, ids: readonly number[]): Promise<Delegation[]> {
  const found: Delegation[] = [];
  for (const id of ids) found.push(await agent.call("delegations.get", { id }));
  return found;
}

/** All that have not ended, of a device or of all. */
export async function liveOf(agent: Calls, device: string | undefined): Promise<Delegation[]> {
  const live: Delegation[] = [];
  for await (const { items } of pages((page: { cursor?: number; limit: number }) =>
    agent.call("delegations.list", page),
  ))
    live.push(...items.filter((it) => !isFinal(it.state) && (!device || it.device === device)));
  return live;
}

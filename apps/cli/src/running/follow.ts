import type { Calls } from "@lendbuf/client/calls";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { noticeOf } from "./notices.ts";

export interface Follower {
  onState?(delegation: Delegation): void;
  onNotice(notice: string): void;
  /** No state will follow. Where it is left out this is a notice like others. */
  onLost?(notice: string): void;
}

/** Tells what becomes of a delegation until it has ended, and returns how. Throws ConnectionLost, or the signal's reason. */
export async function follow(
  agent: Calls,
  start: Delegation,
  follower: Follower,
  signal?: AbortSignal,
): Promise<Delegation> {
  let latest = start;
  for await (const delegation of agent.subscribe("delegations.follow", { id: start.id }, { signal })) {
    const notice = noticeOf(latest, delegation);
    if (notice) follower.onNotice(notice);
    follower.onState?.(delegation);
    latest = delegation;
    if (isFinal(latest.state)) break;
  }
  return latest;
}

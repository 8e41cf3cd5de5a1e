import type { Calls } from "@lendbuf/client/calls";
import type { Delegation } from "@lendbuf/shared/delegation";
import { describeEnd } from "../output/delegation.ts";
import type { Follower } from "./follow.ts";

/** The agent answers after some seconds even where the kernel does not, and goes on with the end by itself. */
const PATIENCE_MS = 10_000;

/** Releases unless it is kept. Without an agent there is nothing left to give back. */
export async function giveBack(agent: Calls, { id, buffer, keep }: Delegation, follower: Follower): Promise<void> {
  if (keep)
    return follower.onNotice(
      `${buffer} stays yours: lendbuf claim ${id} takes it again, lendbuf release ${id} gives it back.`,
    );
  try {
    const ended = await agent.call("delegations.release", { id }, { signal: AbortSignal.timeout(PATIENCE_MS) });
    if (ended.state === "revoking")
      follower.onNotice(`${buffer}: the end is not confirmed yet; it ${describeEnd(ended)}.`);
  } catch (error) {
    if (!(error instanceof Error) || error.name === "ConnectionLost") return;
    follower.onNotice(`${buffer}: its end is not confirmed yet (${error.message}).`);
  }
}

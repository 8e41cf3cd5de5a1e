import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { describeEnd } from "../output/delegation.ts";
import { clock, relative } from "../output/time.ts";

/** What a person who uses the memory should hear about the step from one state to the next. */
export function noticeOf(before: Delegation, now: Delegation): string | undefined {
  return now.state === "active" ? changeOf(before, now) : endOf(before, now);
}

/** By the lease's end, an operator, a lost device, …: not because it was given back. */
export function isEndingElsewhere({ state, reason }: Delegation): boolean {
  return (isFinal(state) || state === "revoking") && reason !== "released";
}

function changeOf(before: Delegation, now: Delegation): string | undefined {
  const { id, buffer, ending, expiresAt } = now;
  if (now.suspended !== before.suspended)
    return now.suspended ? `${buffer} is suspended: out of reach until its device is back.` : `${buffer} is back.`;
  if (
    ending &&
    (ending.at !== before.ending?.at || ending.reason !== before.ending.reason || ending.told !== before.ending.told)
  )
    return ending.reason === "expired"
      ? `The lease of ${buffer} ends ${relative(ending.at)}. To go on: lendbuf extend ${id} 1h`
      : `${buffer} will be taken back ${relative(ending.at)} (${ending.reason}).`;
  if (expiresAt !== before.expiresAt && expiresAt !== null)
    return `The lease of ${buffer} now ends ${relative(expiresAt)}, at ${clock(expiresAt)}.`;
  return before.ending && !ending ? `${buffer} will not be taken back after all.` : undefined;
}

function endOf(before: Delegation, now: Delegation): string | undefined {
  if (!isEndingElsewhere(now)) return undefined;
  const how = `${now.reason}; ${describeEnd(now)}`;
  if (now.state === "revoking") {
    const isNews = now.revocation?.waitingFor && now.revocation.waitingFor !== before.revocation?.waitingFor;
    return isNews ? `${now.buffer} is being taken back (${how}).` : undefined;
  }
  return before.state === now.state
    ? undefined
    : `${now.buffer} was taken back (${how}). Touching it now raises SIGBUS, or fails with EFAULT.`;
}

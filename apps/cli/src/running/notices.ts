import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { describeEnd } from "../output/delegation.ts";
import { clock, relative } from "../output/time.ts";

/** What a person who uses the memory should hear about the step from one state to the next. */
export function noticesOf(before: Delegation, now: Delegation): string[] {
  const { buffer, ending } = now;
  const notices: string[] = [];
  if (isEndingElsewhere(now) && now.state === "revoked" && before.state !== "revoked")
    notices.push(
      `${buffer} was taken back (${now.reason}): ${describeEnd(now)}. Touching it now raises SIGBUS, or fails with EFAULT.`,
    );
  else if (
    isEndingElsewhere(now) &&
    now.state === "revoking" &&
    now.revocation?.waitingFor !== before.revocation?.waitingFor
  )
    notices.push(`${buffer} is being taken back (${now.reason}): ${describeEnd(now)}.`);
  if (ending && ending.at !== before.ending?.at && now.state === "active")
    notices.push(`${buffer} will be taken back ${relative(ending.at)} (${ending.reason}).`);
  if (!ending && before.ending && now.state === "active") notices.push(`${buffer} will not be taken back after all.`);
  if (now.state === "active" && now.suspended !== before.suspended)
    notices.push(
      now.suspended ? `${buffer} is suspended: out of reach until its device is back.` : `${buffer} is back.`,
    );
  if (
    now.state === "active" &&
    before.state === "active" &&
    now.expiresAt !== before.expiresAt &&
    now.expiresAt !== null
  )
    notices.push(`The lease of ${buffer} now ends ${relative(now.expiresAt)}, at ${clock(now.expiresAt)}.`);
  return notices;
}

/** By the lease's end, an operator, a lost device, …: not because it was given back. */
export function isEndingElsewhere({ state, reason }: Delegation): boolean {
  return (isFinal(state) || state === "revoking") && reason !== "released";
}

/** How long before its end a lease is worth a reminder: a minute, or a tenth of a short one. */
export function reminderMs({ claimedAt, expiresAt }: Delegation): number {
  return Math.min(60_000, ((expiresAt ?? 0) - (claimedAt ?? 0)) / 10);
}

export function reminderOf({ id, buffer, expiresAt }: Delegation): string {
  return `The lease of ${buffer} ends in ${formatDuration((expiresAt ?? 0) - Date.now())}. To go on: lendbuf extend ${id} 1h`;
}

import type { Live } from "./live.ts";

/** Tells the warden by when the export must have ended, should no agent be there to see to it. */
export function tellDeadline({ exported, leaseEndsAt, announced }: Live): void {
  const at = Math.min(leaseEndsAt ?? Number.POSITIVE_INFINITY, announced?.at ?? Number.POSITIVE_INFINITY);
  if (exported && Number.isFinite(at)) exported.warden.setDeadline(exported.id, at);
}

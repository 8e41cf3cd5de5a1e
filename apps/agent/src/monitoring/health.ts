import type { Core } from "../core.ts";

/** An end that is not proven after so long is stuck. */
export const STUCK_MS = 1000;

/** What keeps the agent from lending, in a word or two each: for whoever need not sign in. `lendbuf status` says more. */
export function notReady({ store, devices, doors }: Core): string[] {
  const missing: string[] = [];
  if (store.problem) missing.push("store");
  for (const device of devices.values()) if (!device.isReady) missing.push(`device ${device.name}`);
  if (!doors.isOpen) missing.push("socket");
  return missing;
}

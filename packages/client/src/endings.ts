import type { SystemError } from "@lendbuf/native/addon";
import type { Delegation, EndReason } from "@lendbuf/shared/delegation";
import { Revoked, Suspended } from "./errors.ts";

const REASONS: Partial<Record<EndReason, string>> = {
  operator: "an operator revoked it",
  expired: "the lease is over",
  released: "it was given back",
  "handed-over": "it was handed over to another account",
  idle: "nobody used it",
  preempted: "somebody who goes first wanted it",
  drained: "the device was drained",
  disconnected: "the connection that had claimed it ended",
  panic: "an operator ended everything",
  "device-lost": "the device, or the process that holds it, went away",
  "agent-restart": "the agent ended",
  collateral: "the whole device had to be taken back",
};

/** Why the memory cannot be reached, by what is known here of the delegation. */
export function lossOf(latest: Delegation, cause: SystemError): Revoked | Suspended {
  const which = `delegation ${latest.id} of ${latest.buffer}`;
  if (latest.reason) {
    const words = REASONS[latest.reason] ?? "the agent says no more";
    const message = `The memory of ${which} was taken back (${latest.reason}): ${words}. Borrow it again.`;
    return new Revoked(message, latest.reason, { cause });
  }
  if (latest.suspended)
    return new Suspended(`The device took the memory of ${which} away for now. Try again when it is back.`, { cause });
  const message = `The memory of ${which} was taken back. \`await lease.now()\` tells why; then borrow it again.`;
  return new Revoked(message, undefined, { cause });
}

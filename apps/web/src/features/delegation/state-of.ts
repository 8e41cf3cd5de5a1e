import type { Delegation } from "@lendbuf/shared/delegation";
import type { StateWord } from "./state-mark.tsx";

/** The word for a delegation's state. */
export function stateOf({
  state,
  suspended,
  revocation,
}: Pick<Delegation, "state" | "suspended" | "revocation">): StateWord {
  if (state === "active") return suspended ? "suspended" : "lent";
  if (state === "revoking" && revocation?.unproven) return "unproven";
  return state;
}

/** After so long an end that is not confirmed is something to look at. */
const STUCK_MS = 2000;

export function isStuck({ state, revocation }: Delegation, now: number): boolean {
  return state === "revoking" && revocation !== null && (revocation.unproven || now - revocation.since > STUCK_MS);
}

import { isFinal } from "@lendbuf/shared/delegation";
import { AgentError } from "@lendbuf/shared/errors";
import type { Core } from "../core.ts";

export function alreadyEnded(core: Core, id: number): AgentError {
  const { state, reason } = core.ledger.view(id);
  const how = isFinal(state) ? "has ended" : "is being taken back";
  return new AgentError("ENDED", `Delegation ${id} ${how} (${state}, ${reason}). Ask for a new one.`);
}

import { AgentError } from "@lendbuf/shared/errors";

/** What has effect also where the store cannot be told now, which is made up for later. */
export function enforced(step: () => void): void {
  try {
    step();
  } catch (cause) {
    if (!(cause instanceof AgentError && cause.code === "STORE_READ_ONLY")) throw cause;
  }
}

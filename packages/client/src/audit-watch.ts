import type { AuditEntry } from "@lendbuf/shared/audit";
import type { Calls } from "./calls.ts";
import { FIRST_PAUSE_MS, longerPause, maySucceedLater, pause } from "./comeback.ts";
import { ConnectionLost } from "./errors.ts";

export interface AuditWatchOptions {
  /** The `seq` of the last entry that is known; without it, from now on. */
  after?: number | undefined;
  /** Ends it; it throws the signal's reason. */
  signal?: AbortSignal | undefined;
}

/**
 * Yields each audit entry once, in order, over as many connections as it takes: `open` connects, by `connect` or with an HttpAgent, and
 * again after an agent's restart. Throws NoAgent where none answers at first, AgentError where it refuses, and AuditReplaced.
 */
export async function* watchAudit(
  open: () => Calls | Promise<Calls>,
  { after, signal }: AuditWatchOptions = {},
): AsyncGenerator<AuditEntry, never> {
  let known = after;
  let isFirst = true;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = longerPause(pauseMs)) {
    try {
      signal?.throwIfAborted();
      using agent = await open();
      const head = await headOf(agent, signal);
      known ??= head;
      if (known > head) throw new AuditReplaced(known, head);
      isFirst = false;
      for await (const entry of agent.subscribe("audit.watch", { after: known }, { signal })) {
        known = entry.seq;
        pauseMs = FIRST_PAUSE_MS;
        yield entry;
      }
    } catch (error) {
      const wasThere = !isFirst || error instanceof ConnectionLost;
      if (!wasThere || !maySucceedLater(error)) throw error;
    }
    await pause(pauseMs, signal);
  }
}

/** The audit is shorter than what was read of it: another agent's, or its state was removed. */
export class AuditReplaced extends Error {
  override readonly name = "AuditReplaced";

  constructor(known: number, head: number) {
    super(`Entry ${known} of the audit was read, and the agent's ends at ${head}: it is another. Begin with after: 0.`);
  }
}

/** The last entry's `seq`; 0 where there is none. */
async function headOf(agent: Calls, signal: AbortSignal | undefined): Promise<number> {
  const { items } = await agent.call("audit.list", { limit: 1 }, { signal });
  return items[0]?.seq ?? 0;
}

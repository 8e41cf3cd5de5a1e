import type { Core } from "../core.ts";
import type { Live, LiveExport } from "../delegations/live.ts";
import { end } from "../revocation/end.ts";
import { holdersIn } from "./holders-in.ts";
import type { Scan } from "./scans.ts";

/** A look at all processes is not free, and is not worth more than this often. */
const MOST_OFTEN_MS = 250;
const LEAST_OFTEN_MS = 10_000;
const LOOKS_PER_IDLE_TIME = 4;

/** Since when each look has found nobody, by the boot clock. */
const unusedSince = new WeakMap<LiveExport, number>();

/**
 * Ends what was asked for with an idle time once nobody was seen to have it for so long. What is seen in /proc proves nothing; but the end is a revoke
 * like any other, so a wrong guess costs its account the lease and nobody else anything. A look that could not see every process decides nothing.
 */
export function watchIdle(core: Core): void {
  if (core.alarms.idle) return;
  const times = idling(core).map(({ record }) => record.idleMs!);
  if (times.length === 0) return;
  const inMs = Math.min(LEAST_OFTEN_MS, Math.max(MOST_OFTEN_MS, Math.min(...times) / LOOKS_PER_IDLE_TIME));
  core.alarms.idle = core.clock.after(inMs, () => void lookForIdle(core));
}

async function lookForIdle(core: Core): Promise<void> {
  try {
    const scan = await core.scans.look();
    const now = core.clock.now();
    end(
      core,
      idling(core).filter((live) => isIdle(core, scan, live, now)),
      "idle",
      "agent",
    );
  } catch (cause) {
    core.log.error({ cause }, "who holds what cannot be looked at, so nothing ends as idle");
  }
  core.alarms.idle = null;
  watchIdle(core);
}

function idling(core: Core): Live[] {
  return [...core.ledger.live.values()].filter(
    ({ record, exported }) => record.idleMs !== null && record.state === "active" && exported !== null,
  );
}

function isIdle(core: Core, scan: Scan, live: Live, now: number): boolean {
  const exported = live.exported!;
  if (!seesNobody(core, scan, live)) {
    unusedSince.delete(exported);
    return false;
  }
  const since = unusedSince.get(exported) ?? now;
  unusedSince.set(exported, since);
  return now - since >= live.record.idleMs!;
}

/** The look began while it was exported, saw every process, and none but ours has it. */
function seesNobody(core: Core, scan: Scan, live: Live): boolean {
  const key = core.scans.keyOf(live);
  if (key === undefined || scan.delegations.get(key) !== live.record.id || scan.notes.length > 0) return false;
  return holdersIn(core, scan, key).every(({ role }) => role !== null);
}

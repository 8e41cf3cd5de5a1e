import type { Core } from "../core.ts";
import type { Live } from "./live.ts";

/** From now on the lease ends then, by the boot clock. No notice comes before the last tenth of what is left. */
export function runOut(core: Core, live: Live, endsAt: number): void {
  const tenth = (endsAt - core.clock.now()) / 10;
  const notices = new Set(core.config.noticesMs.map((noticeMs) => Math.min(noticeMs, tenth)));
  live.leaseEndsAt = endsAt;
  live.noticesAt = [...notices].map((noticeMs) => endsAt - noticeMs);
  core.ledger.schedule(live);
}

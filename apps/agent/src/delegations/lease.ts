import type { Core } from "../core.ts";
import type { Live } from "./live.ts";

/** From now on the lease ends then, by the boot clock. One with less left than the notice is announced in the last tenth of that. */
export function runOut(core: Core, live: Live, endsAt: number): void {
  live.leaseEndsAt = endsAt;
  live.noticeAt = endsAt - Math.min(core.config.noticeMs, (endsAt - core.clock.now()) / 10);
  core.ledger.schedule(live);
}

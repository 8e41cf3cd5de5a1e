import type { Core } from "../core.ts";
import { BLANK, type Live, termsOf } from "./live.ts";
import { offerFields, startOffer } from "./queue.ts";

/**
 * Offers an account what it lost because another's delegation was revoked device-wide, before anybody in line: for what was left
 * of its lease. Nothing where its client has gone, or the store refuses.
 */
export function renew(core: Core, ended: Live, leftMs: number): void {
  const { record, target } = ended;
  if (leftMs <= 0 || target.device.drain || !target.admits(record.share)) return;
  const { id, offerMs } = record;
  try {
    const live = core.ledger.create(
      {
        ...BLANK,
        ...termsOf(record),
        leaseMs: leftMs,
        requestedAt: Date.now(),
        renews: id,
        ...offerFields({ offerMs, until: null }),
      },
      target,
      { actor: "agent", action: "delegation.renewed" },
    );
    startOffer(core, live);
  } catch (cause) {
    core.log.error({ delegation: id, cause }, "a delegation that was lost with its device could not be renewed");
  }
}

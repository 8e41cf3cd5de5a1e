import type { Core } from "../core.ts";
import { BLANK, type Live } from "./live.ts";
import { offerFields, startOffer } from "./queue.ts";

/**
 * Offers an account what it lost because another's delegation was revoked device-wide, before anybody in line: for what was left
 * of its lease. Nothing where its client has gone, or the store refuses.
 */
export function renew(core: Core, ended: Live, leftMs: number): void {
  const { record, target } = ended;
  if (leftMs <= 0 || target.device.drain || !target.admits(record.share)) return;
  const {
    id,
    buffer,
    device,
    account,
    requestedBy,
    access,
    share,
    keep,
    purpose,
    exporter,
    size,
    offerMs,
    priority,
    idleMs,
  } = record;
  const wish = {
    buffer,
    device,
    account,
    requestedBy,
    access,
    share,
    keep,
    purpose,
    exporter,
    size,
    offerMs,
    priority,
    idleMs,
  };
  try {
    const live = core.ledger.create(
      {
        ...BLANK,
        ...wish,
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

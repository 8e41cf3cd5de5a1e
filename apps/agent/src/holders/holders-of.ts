import type { Holder, Holders } from "@lendbuf/shared/holder";
import type { Core } from "../core.ts";
import { holdersIn, visibilityOf } from "./holders-in.ts";

/** More than that are counted. */
const MAX_LISTED = 100;

/**
 * Who holds the export of a delegation, as /proc shows it. Never a proof: a descriptor in flight, a process that may not be looked at and one
 * of another pid namespace are not seen, and what is seen may be gone by now.
 */
export async function holdersOf(core: Core, id: number): Promise<Holders> {
  const scan = await core.scans.look();
  const live = core.ledger.live.get(id);
  const key = live && core.scans.keyOf(live);
  const exported = key !== undefined && scan.delegations.get(key) === id;
  const found: Holder[] = exported ? holdersIn(core, scan, key) : [];
  return {
    delegation: id,
    exported,
    holders: found.slice(0, MAX_LISTED),
    total: found.length,
    ...visibilityOf(scan),
  };
}

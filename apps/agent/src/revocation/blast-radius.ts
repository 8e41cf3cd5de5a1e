import type { Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import type { Warden } from "../wardens/warden.ts";

/** Who would be cut off together with these: all others that are active on devices that can only be taken back as a whole. */
export function blastRadius(core: Core, lives: Iterable<Live>): Live[] {
  const ending = new Set(lives);
  const wardens = new Set<Warden>();
  for (const { exported, record } of ending)
    if (exported?.exporter.scope === "device" && record.state === "active") wardens.add(exported.warden);
  return [...wardens].flatMap((warden) => othersOf(core, warden, ending));
}

/** The exports of a warden that nobody has decided to end. */
export function othersOf(core: Core, warden: Warden, ending: ReadonlySet<Live>): Live[] {
  return core.exports.of(warden).filter((live) => !ending.has(live) && live.record.state !== "revoking");
}

const MAX_NAMED = 10;

/** "4 (uid:1000), 7 (uid:0) and 3 more" */
export function idsOf(lives: readonly Live[]): string {
  const named = lives.slice(0, MAX_NAMED).map(({ record }) => `${record.id} (${record.account})`);
  const more = lives.length - named.length;
  return more > 0 ? `${named.join(", ")} and ${more} more` : named.join(", ");
}

import { closeSync } from "node:fs";
import type { Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";

/**
 * Closes our own copy of an export that ends with its last reference, of which it is one. After that its warden alone can tell when
 * it has ended. Nothing where the export ends by force, or is not made yet.
 */
export function letGo(core: Core, live: Live): void {
  const { exported } = live;
  if (exported?.exporter.scope !== "none" || exported.fd < 0) return;
  core.scans.keyOf(live); // who has it can still be looked for
  const { fd } = exported;
  exported.fd = -1;
  exported.isLetGo = true;
  closeSync(fd);
}

import type { Core } from "../core.ts";
import type { RevokedEntry, Warden } from "../wardens/warden.ts";

const TRY_AGAIN_MS = 1000;

/** Exports that no delegation in the books has, until their end is proven. */
const open = new WeakMap<Warden, Set<number>>();

/** Has exports of an adopted warden revoked that nobody in the books has, until it is proven that they are. */
export function revokeStrays(core: Core, warden: Warden, ids: readonly number[]): void {
  if (ids.length === 0) return;
  open.set(warden, new Set(ids));
  core.log.info({ warden: warden.instance, exports: ids.length }, "exports that are in no book are revoked");
  ask(core, warden);
}

/** What the warden answered. */
export function takeStrays(warden: Warden, entries: readonly RevokedEntry[]): void {
  const strays = open.get(warden);
  if (strays) for (const { id, safe } of entries) if (safe) strays.delete(id);
}

function ask(core: Core, warden: Warden): void {
  const strays = open.get(warden);
  if (!strays || strays.size === 0 || warden.isGone) return void open.delete(warden);
  warden.revoke([...strays]);
  core.clock.after(TRY_AGAIN_MS, () => ask(core, warden));
}

import { canShare, leaseThatFits } from "../buffers/ahead.ts";
import type { Core } from "../core.ts";
import { end } from "../revocation/end.ts";
import { announce } from "../revocation/triggers.ts";
import type { Live } from "./live.ts";
import { goesFirst } from "./spare.ts";

/**
 * Whoever is next in line and goes before those who have the buffer has their end announced, or their offers ended, if that lets it in. What somebody
 * had reserved is nobody's to take.
 */
export function preempt(core: Core, next: Live, actor: string): void {
  const { record, target } = next;
  if (record.state !== "waiting" || target.queue[0] !== next || !target.device.lends) return;
  const { noticeMs } = core.config;
  const inTheWay = [...target.occupants].filter((other) => !canShare(other.record.share, record.share));
  if (inTheWay.length === 0 || !inTheWay.every((other) => goesFirst(next, other))) return;
  const beginsBy = Date.now() + noticeMs + record.offerMs;
  if (leaseThatFits(target.reservations, record, Date.now(), beginsBy) === null) return;
  target.isPreempted = true;
  for (const other of inTheWay)
    if (other.record.state === "active") announce(core, other, noticeMs, "preempted", actor);
  end(
    core,
    inTheWay.filter((other) => other.record.state === "offered"),
    "preempted",
    actor,
  );
}

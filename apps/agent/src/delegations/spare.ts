import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import { runOut } from "./lease.ts";
import type { Live } from "./live.ts";

/** An end that was announced for somebody who has gone from the line is taken back. */
export function spare(core: Core, target: Buffer<Live>): void {
  if (!target.isPreempted) return;
  const announced = [...target.occupants].filter(({ announced }) => announced?.reason === "preempted");
  const spared = announced.filter((one) => !target.queue.some((next) => goesFirst(next, one)));
  target.isPreempted = announced.length > spared.length;
  for (const live of spared) live.announced = null;
  core.ledger.settle(spared, { actor: "agent", action: "delegation.spared", patch: { ending: null } });
  for (const live of spared) runOut(core, live, live.leaseEndsAt!);
}

/** Whether the one may have the other told to go. */
export function goesFirst({ record: next }: Live, { record }: Live): boolean {
  return next.priority > record.priority && record.reservation === null;
}

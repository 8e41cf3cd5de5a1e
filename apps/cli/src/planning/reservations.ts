import type { Calls } from "@lendbuf/client/calls";
import type { Input } from "@lendbuf/shared/api";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Reservation } from "@lendbuf/shared/reservation";
import { clock } from "../output/time.ts";
import { type Plan, plan, type Refusal, refuse } from "./plan.ts";

const MOST = 500;

export async function planReserve(agent: Calls, wish: Input<"reservations.create">): Promise<Plan> {
  const { buffer, from, to } = wish;
  await agent.call("buffers.get", { name: buffer });
  const { limits } = await agent.call("status.get");
  const { items } = await agent.call("reservations.list", { buffer, limit: MOST });
  const isShared = (wish.share ?? (wish.access === "read-only" ? "shared" : "exclusive")) === "shared";
  const other = items.find((one) => !(isShared && one.share === "shared") && one.from < to && from < one.to);
  const refusal = wrongTimes(from, to, limits) ?? (other ? taken(other) : null);
  return plan(`reserve ${buffer} from ${clock(from)} to ${clock(to)}`, { refusal });
}

export async function planCancel(agent: Calls, id: number): Promise<Plan> {
  for (let cursor: string | undefined; ; ) {
    const { items, next } = await agent.call("reservations.list", {
      all: true,
      ...(cursor && { cursor }),
      limit: MOST,
    });
    const found = items.find((one) => one.id === id);
    if (found) {
      const refusal =
        found.state === "begun"
          ? refuse("ENDED", `Reservation ${id} has begun, as delegation ${found.delegation}.`)
          : null;
      return plan(`cancel reservation ${id} of ${found.buffer}`, { refusal });
    }
    if (next === null)
      return plan(`cancel reservation ${id}`, { refusal: refuse("NOT_FOUND", `There is no reservation ${id}.`) });
    cursor = next;
  }
}

function wrongTimes(from: number, to: number, limits: { maxLeaseMs: number; maxAheadMs: number }): Refusal | null {
  if (to <= from || to <= Date.now()) return refuse("BAD_INPUT", "A reservation ends after it begins, and after now.");
  if (to - from > limits.maxLeaseMs)
    return refuse(
      "LIMIT",
      `${formatDuration(to - from)} are longer than ${formatDuration(limits.maxLeaseMs)}, the longest here.`,
    );
  if (from - Date.now() > limits.maxAheadMs)
    return refuse("LIMIT", `That is more than ${formatDuration(limits.maxAheadMs)} ahead, the most here.`);
  return null;
}

function taken({ id, buffer, from, to }: Reservation): Refusal {
  return refuse("RESERVED", `${buffer} is reserved from ${clock(from)} to ${clock(to)} (${id}).`);
}

import type { Calls } from "@lendbuf/client/calls";
import type { Input } from "@lendbuf/shared/api";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { formatSize } from "@lendbuf/shared/size";
import { type Plan, plan, type Refusal, refuse } from "./plan.ts";

type Copy = Input<"delegations.sync">;

/** Of a copy between a window and its device. */
export async function planSync(agent: Calls, copy: Copy): Promise<Plan> {
  const delegation = await agent.call("delegations.get", { id: copy.id });
  const { account } = await agent.call("sessions.me");
  const length = copy.length ?? delegation.size - (copy.offset ?? 0);
  const way = copy.direction.replace("-", " the ");
  return plan(`copy ${formatSize(Math.max(0, length))} of ${delegation.buffer} ${way}`, {
    hits: [delegation],
    refusal: notNow(delegation, account) ?? misfit(delegation, copy, length),
  });
}

function notNow({ id, state, account, exporter }: Delegation, caller: string): Refusal | null {
  if (isFinal(state) || state === "revoking") return refuse("ENDED", `Delegation ${id} is ${state}.`);
  if (account !== caller)
    return refuse("NOT_YOURS", `Delegation ${id} belongs to ${account}; only its account copies.`);
  if (state !== "active") return refuse("NOT_READY", `Delegation ${id} is ${state}: claim it first, then copy.`);
  return exporter === "staged"
    ? null
    : refuse("UNSUPPORTED", `Delegation ${id} is no window: it is lent by ${exporter}.`);
}

function misfit(
  { id, access, size }: Delegation,
  { direction, offset = 0, width = 32 }: Copy,
  length: number,
): Refusal | null {
  if (direction === "to-device" && access === "read-only")
    return refuse("NOT_ALLOWED", `Delegation ${id} is read-only: nothing is copied to the device.`);
  const word = width / 8;
  if (offset % word === 0 && length % word === 0 && length > 0 && offset + length <= size) return null;
  return refuse(
    "BAD_INPUT",
    `${length} bytes from ${offset} on are no whole words of ${width} bits, or not in the window of ${size} bytes.`,
  );
}

import type { Calls } from "@lendbuf/client/calls";
import type { Input } from "@lendbuf/shared/api";
import type { BufferView } from "@lendbuf/shared/buffer";
import { outcomeOf } from "@lendbuf/shared/delegation";
import { type Device, exporterOf } from "@lendbuf/shared/device";
import { formatDuration } from "@lendbuf/shared/duration";
import { describeHolders } from "../output/buffer.ts";
import { type Plan, plan, type Refusal, refuse, wrongFor } from "./plan.ts";
import { policyRefusal } from "./policy.ts";

type Wish = Input<"delegations.request">;

/** How long a lease is where nobody says, as the API has it. */
const USUAL_LEASE_MS = 3_600_000;

/** Of a buffer that is asked for: `what` is done with it, as "offer" or "run true with". */
export async function planRequest(agent: Calls, wish: Wish, what: string): Promise<Plan> {
  const buffer = await agent.call("buffers.get", { name: wish.buffer });
  const { devices, limits } = await agent.call("status.get");
  const device = devices.find(({ name }) => name === buffer.device);
  const leaseMs = wish.leaseMs ?? USUAL_LEASE_MS;
  const isTaken = !hasRoom(buffer, wish);
  const refusal =
    (await wrongAccount(agent, wish)) ??
    unsupported(buffer, device, wish) ??
    (leaseMs > limits.maxLeaseMs
      ? refuse(
          "LIMIT",
          `A lease of ${formatDuration(leaseMs)} is longer than ${formatDuration(limits.maxLeaseMs)}, the longest here.`,
        )
      : null) ??
    (await policyRefusal(
      agent,
      { buffer: wish.buffer, account: wish.account },
      { use: isTaken && wish.wait ? "queue" : "borrow", moreMs: leaseMs, leaseMs },
    )) ??
    (isTaken && !wish.wait ? taken(buffer) : null);
  const line = isTaken && wish.wait ? `stand in line for ${buffer.name}, place ${buffer.waiting + 1}, then ` : "";
  return plan(`${line}${what} ${buffer.name} for ${formatDuration(leaseMs)}`, { refusal });
}

export async function planClaim(agent: Calls, id: number, what: string): Promise<Plan> {
  const delegation = await agent.call("delegations.get", { id });
  const { account } = await agent.call("sessions.me");
  const { state, client, keep, buffer } = delegation;
  const outcome = outcomeOf("claim", state);
  const refusal =
    outcome === "ENDED" || outcome === "NOT_READY"
      ? refuse(outcome, `Delegation ${id} is ${state}.`)
      : delegation.account !== account
        ? refuse("NOT_YOURS", `Delegation ${id} belongs to ${delegation.account}; you are ${account}.`)
        : state === "active" && (client || !keep)
          ? refuse("ALREADY_CLAIMED", `Delegation ${id} was claimed already.`)
          : null;
  return plan(`claim delegation ${id} of ${buffer}${what}`, { hits: [delegation], refusal });
}

export async function planExtend(agent: Calls, { id, byMs, shorten }: Input<"delegations.extend">): Promise<Plan> {
  const delegation = await agent.call("delegations.get", { id });
  const { limits } = await agent.call("status.get");
  const { state, expiresAt, buffer } = delegation;
  const outcome = outcomeOf("extend", state);
  const left = (expiresAt ?? Date.now()) - Date.now() + byMs;
  const refusal =
    outcome === "ENDED" || outcome === "NOT_READY"
      ? refuse(outcome, `Delegation ${id} is ${state}.`)
      : left <= 0
        ? refuse("BAD_INPUT", `Delegation ${id} has no more than ${formatDuration(-byMs)} left.`)
        : left > limits.maxLeaseMs && !shorten
          ? refuse(
              "LIMIT",
              `A lease of ${formatDuration(left)} is longer than ${formatDuration(limits.maxLeaseMs)}, the longest here.`,
            )
          : byMs < 0
            ? null
            : await policyRefusal(
                agent,
                { buffer, account: delegation.account },
                { use: "extend", moreMs: byMs, leaseMs: left },
              );
  const what = byMs < 0 ? `take ${formatDuration(-byMs)} from` : `add ${formatDuration(byMs)} to`;
  return plan(`${what} delegation ${id} of ${buffer}`, { hits: [delegation], refusal });
}

function hasRoom({ state, current, occupied, waiting }: BufferView, { access, share }: Wish): boolean {
  if (state === "free") return waiting === 0;
  const isShared = (share ?? (access === "read-only" ? "shared" : "exclusive")) === "shared";
  // Whoever cannot be seen may have it alone.
  const allShare = current.length === occupied && current.every((one) => one.share === "shared");
  return isShared && allShare && waiting === 0 && state !== "lost";
}

function taken(buffer: BufferView): Refusal {
  if (buffer.state === "lost") return refuse("DEVICE_LOST", `${buffer.device} is not ready: lendbuf devices says why.`);
  const who = describeHolders(buffer) || "nobody yet";
  return refuse(
    "BUSY",
    `${buffer.name} is ${buffer.state} (${who}), ${buffer.waiting} wait. Add --wait to stand in line.`,
  );
}

function unsupported(
  buffer: BufferView,
  device: Device | undefined,
  { access, share, exporter }: Wish,
): Refusal | null {
  if (access !== "read-only" && (buffer.share === "shared" || share === "shared"))
    return refuse("UNSUPPORTED", `${buffer.name} has one writer at most. Add --read-only, or leave --shared out.`);
  const found = device && exporter ? exporterOf(device, exporter) : null;
  if (!device || !exporter || device.state !== "ready" || (found?.exporter === exporter && found.works)) return null;
  return refuse(
    "UNSUPPORTED",
    `${device.name} cannot lend by ${exporter}${found?.exporter === exporter ? `: ${found.detail}` : ""}.`,
  );
}

async function wrongAccount(agent: Calls, { account }: Wish): Promise<Refusal | null> {
  if (!account) return null;
  const me = await agent.call("sessions.me");
  return wrongFor(me, "delegations.request", account);
}

import type { Calls } from "@lendbuf/client/calls";
import { type Delegation, isFinal, outcomeOf } from "@lendbuf/shared/delegation";
import { exporterOf } from "@lendbuf/shared/device";
import { formatDuration } from "@lendbuf/shared/duration";
import { getEach, liveOf, type Scope } from "../live.ts";
import { delegations, type Plan, plan, refuse, roleRefusal } from "./plan.ts";

interface Revoke {
  notice?: number;
  deviceWide?: boolean;
}

export async function planRevoke(agent: Calls, ids: number[], { notice, deviceWide }: Revoke): Promise<Plan> {
  const ending = (await getEach(agent, ids)).filter(({ state }) => !isFinal(state));
  if (ending.length === 0) return plan("revoke nothing: what was named has ended already");
  const later = notice ? ending.filter(({ state }) => state === "active") : [];
  const others = await collateralOf(
    agent,
    ending.filter((it) => !later.includes(it)),
  );
  const hits = deviceWide ? [...ending, ...others] : ending;
  const when =
    later.length > 0 ? `, those that are lent in ${formatDuration(notice!)}, after their clients were told` : "";
  const also = deviceWide && others.length > 0 ? `, and with them ${others.length} more of the same device` : "";
  const refusal =
    others.length > 0 && !deviceWide
      ? refuse(
          "BLAST_RADIUS",
          `Their device can only be taken back as a whole, which ends ${idsOf(others)} too. Add --device-wide if that is meant.`,
        )
      : null;
  return plan(`revoke ${delegations(ending.length)}${when}${also}`, { hits, refusal });
}

export async function planRevokeAll(agent: Calls, scope: Scope): Promise<Plan> {
  const hits = (await liveOf(agent, scope)).filter(({ state }) => state !== "revoking");
  const refusal = await roleRefusal(agent, "delegations.revokeAll");
  return plan(`revoke ${delegations(hits.length)}${wordsFor(scope)}`, { hits, refusal });
}

function wordsFor({ device, account, tag }: Scope): string {
  const named = [device, account, tag && `the tag ${tag}`].filter(Boolean);
  return named.length > 0 ? ` of ${named.join(" and ")}` : "";
}

export async function planRelease(agent: Calls, id: number): Promise<Plan> {
  const delegation = await agent.call("delegations.get", { id });
  const { state, buffer } = delegation;
  if (isFinal(state)) return plan(`give nothing back: delegation ${id} has ended already (${state})`);
  const how = outcomeOf("release", state) === "cancelled" ? "withdraw" : "give back";
  return plan(`${how} delegation ${id} of ${buffer}`, { hits: [delegation] });
}

export async function planHandOver(agent: Calls, id: number, account: string): Promise<Plan> {
  const delegation = await agent.call("delegations.get", { id });
  const { state, buffer } = delegation;
  const outcome = outcomeOf("hand-over", state);
  const refusal =
    outcome === "ENDED" || outcome === "NOT_READY"
      ? refuse(outcome, `Delegation ${id} is ${state}.`)
      : delegation.account === account
        ? refuse("BAD_INPUT", `Delegation ${id} is ${account}'s already.`)
        : null;
  return plan(`hand delegation ${id} of ${buffer} over to ${account}`, { hits: [delegation], refusal });
}

/** As the agent would take away the memory of those it names: all others that are lent of a device which goes as a whole. */
async function collateralOf(agent: Calls, ending: readonly Delegation[]): Promise<Delegation[]> {
  const active = ending.filter(({ state }) => state === "active");
  if (active.length === 0) return [];
  const devices = await agent.call("devices.list");
  const whole = devices.filter((device) =>
    active.some((it) => it.device === device.name && exporterOf(device, it.exporter)?.scope === "device"),
  );
  const live = whole.length > 0 ? await liveOf(agent) : [];
  return live.filter(
    (it) =>
      it.state === "active" && whole.some(({ name }) => name === it.device) && !ending.some(({ id }) => id === it.id),
  );
}

function idsOf(others: readonly Delegation[]): string {
  return others.map(({ id, account }) => `${id} (${account})`).join(", ");
}

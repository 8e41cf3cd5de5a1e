import type { Calls } from "@lendbuf/client/calls";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Explanation, Reloaded, Rule } from "@lendbuf/shared/rule";
import { pages } from "../pages.ts";
import { type Plan, plan, type Refusal, refuse, roleRefusal } from "./plan.ts";

interface Wish {
  use: "borrow" | "queue" | "extend";
  /** What would be added to what the account has. */
  moreMs: number;
  /** How long it would be from now on. */
  leaseMs: number;
}

/** Whether a rule is in the way, as far as can be seen; nothing where an older agent has none. */
export async function policyRefusal(
  agent: Calls,
  about: { buffer: string; account?: string | undefined },
  wish: Wish,
): Promise<Refusal | null> {
  const explanation = await explanationOf(agent, about);
  return explanation && refusalBy(explanation, wish);
}

async function explanationOf(agent: Calls, about: { buffer: string; account?: string | undefined }) {
  try {
    return await agent.call("policy.explain", about);
  } catch (error) {
    if ((error as { code?: string }).code === "UNKNOWN_METHOD") return null;
    throw error;
  }
}

function refusalBy({ account, buffer, answers }: Explanation, { use, moreMs, leaseMs }: Wish): Refusal | null {
  for (const { question, answer, used, rule } of answers) {
    if (rule === null) continue;
    const isAsked =
      question === "allow" ||
      (question === "mayQueue" && use === "queue") ||
      (question === "mayExtend" && use === "extend");
    if (isAsked && answer === false)
      return refuse("NOT_ALLOWED", `Rule "${rule}" does not let ${account} ${WORDS[use]} ${buffer}.`);
    if (question === "maxLeaseMs" && leaseMs > Number(answer))
      return refuse(
        "LIMIT",
        `Rule "${rule}" gives ${account} ${buffer} for ${formatDuration(Number(answer))} at most.`,
      );
    if (question === "maxAtOnce" && Number(used) + (use === "extend" ? 0 : 1) > Number(answer))
      return refuse("LIMIT", `Rule "${rule}" gives ${account} ${answer} of these buffers at once at most.`);
    if (question === "maxPerWeekMs" && Number(used) + moreMs > Number(answer))
      return refuse(
        "LIMIT",
        `Rule "${rule}" gives ${account} ${formatDuration(Number(answer))} in seven days; ${formatDuration(Number(used))} are used.`,
      );
  }
  return null;
}

const WORDS = { borrow: "borrow", queue: "stand in line for", extend: "extend a lease of" } as const;

export async function planRule(agent: Calls, method: "policy.define" | "policy.remove", name: string): Promise<Plan> {
  const known = (await rules(agent)).find((rule) => rule.name === name);
  const word = method === "policy.remove" ? "remove" : known ? "change" : "make";
  return plan(`${word} rule ${name}`, {
    refusal: (await roleRefusal(agent, method)) ?? wrongRule(method, name, known),
  });
}

function wrongRule(method: string, name: string, known: Rule | undefined): Refusal | null {
  if (known?.source === "config")
    return refuse("NOT_ALLOWED", `Rule ${name} stands in the agent's configuration file. Change it there.`);
  if (method === "policy.remove" && !known)
    return refuse("NOT_FOUND", `There is no rule ${name}. lendbuf policy list lists them.`);
  return null;
}

export async function rules(agent: Calls): Promise<Rule[]> {
  const all: Rule[] = [];
  for await (const { items } of pages((page: { cursor?: string; limit: number }) => agent.call("policy.list", page)))
    all.push(...items);
  return all;
}

/** What a reading of the configuration would change. */
export async function planReload(agent: Calls): Promise<Plan> {
  const refusal = await roleRefusal(agent, "config.reload");
  if (refusal) return plan("read the configuration anew", { refusal });
  return plan(`read the configuration anew: ${describeChanges(await agent.call("config.reload", { check: true }))}`);
}

export function describeChanges({ changed, needsRestart }: Reloaded): string {
  const later = needsRestart.length > 0 ? `; from the next start on ${needsRestart.join(", ")}` : "";
  return `${changed.length > 0 ? `changed ${changed.join(", ")}` : "nothing has changed"}${later}`;
}

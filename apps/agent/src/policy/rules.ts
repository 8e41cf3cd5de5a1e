// What the rules say: nothing here knows of doors, delegations or a store.
import type { ErrorCode } from "@lendbuf/shared/errors";
import type { Role } from "@lendbuf/shared/role";
import { CHOICES, type Choice, RULE_LIMITS, type Rule, type RuleLimit } from "@lendbuf/shared/rule";
import { fits, listHas } from "./patterns.ts";

/** Somebody, as rules see them. */
export interface Subject {
  readonly account: string;
  readonly role: Role | null;
  isIn(group: string): boolean;
}

/** A buffer, as rules see it. */
export interface Thing {
  readonly name: string;
  readonly tags: readonly string[];
}

/** What somebody has already, of the buffers that a rule is about. */
export interface Usage {
  /** How many. */
  count(covers: (thing: Thing) => boolean): number;
  /** For how long in the last seven days, with what is still to come of what it has. */
  heldMs(covers: (thing: Thing) => boolean): number;
}

/** What somebody wants of a buffer. */
export interface Wish {
  readonly use: "borrow" | "queue" | "extend";
  /** From now on. */
  readonly leaseMs: number;
}

export interface Refusal {
  readonly code: ErrorCode;
  readonly question: Choice | RuleLimit;
  readonly rule: Rule;
  /** What is left of the limit: milliseconds, or how many; null where it is none. */
  readonly left: number | null;
}

/** What is so where no rule answers. `allowIrrevocable` is the agent's setting. */
export const WITHOUT_RULES = { allow: true, mayQueue: true, mayExtend: true } as const;

export function covers({ buffers, tags }: Pick<Rule, "buffers" | "tags">, thing: Thing): boolean {
  return (
    listHas(buffers, (pattern) => fits(pattern, thing.name)) &&
    (tags.length === 0 || tags.some((tag) => thing.tags.includes(tag)))
  );
}

export function isAmong(who: readonly string[], subject: Subject): boolean {
  return listHas(who, (word) => is(word, subject));
}

function is(word: string, { account, role, isIn }: Subject): boolean {
  if (word.startsWith("role:")) return role === word.slice("role:".length);
  if (word.startsWith("group:")) return isIn(word.slice("group:".length));
  return fits(word, account);
}

function matching(rules: readonly Rule[], subject: Subject, thing: Thing): Rule[] {
  return rules.filter((rule) => covers(rule, thing) && isAmong(rule.who, subject));
}

/** The first rule that answers a choice; undefined where none does. */
export function deciding(rules: readonly Rule[], choice: Choice, subject: Subject, thing: Thing): Rule | undefined {
  return matching(rules, subject, thing).find((rule) => rule[choice] !== null);
}

/** Every rule that sets this limit: each counts. */
export function limiting(rules: readonly Rule[], limit: RuleLimit, subject: Subject, thing: Thing): Rule[] {
  return matching(rules, subject, thing).filter((rule) => rule[limit] !== null);
}

/** What of a limit would be used if it were granted, and what is used already. */
export function usedOf(limit: RuleLimit, rule: Rule, usage: Usage): number {
  const ofRule = (thing: Thing) => covers(rule, thing);
  if (limit === "maxAtOnce") return usage.count(ofRule);
  return limit === "maxPerWeekMs" ? usage.heldMs(ofRule) : 0;
}

/** Why a wish is refused: the first choice that says no, else the first limit that it would exceed; null where nothing does. */
export function refusalOf(
  rules: readonly Rule[],
  subject: Subject,
  thing: Thing,
  wish: Wish,
  usage: Usage,
): Refusal | null {
  const relevant = matching(rules, subject, thing);
  for (const question of CHOICES) {
    if (!isAsked(question, wish)) continue;
    const rule = relevant.find((one) => one[question] !== null);
    if (rule?.[question] === false) return { code: "NOT_ALLOWED", question, rule, left: null };
  }
  for (const question of RULE_LIMITS)
    for (const rule of relevant) {
      const limit = rule[question];
      if (limit === null) continue;
      const left = Math.max(0, limit - usedOf(question, rule, usage));
      if ((question === "maxAtOnce" ? 1 : wish.leaseMs) > left) return { code: "LIMIT", question, rule, left };
    }
  return null;
}

function isAsked(question: Choice, { use }: Wish): boolean {
  if (question === "mayQueue") return use === "queue";
  return question === "allow" || (question === "mayExtend" && use === "extend");
}

/** The rule by which somebody may end by force what another has of a buffer; undefined where there is none. */
export function revoking(rules: readonly Rule[], who: Subject, owner: Subject, thing: Thing): Rule | undefined {
  return matching(rules, who, thing).find(({ mayRevoke }) => mayRevoke.length > 0 && isAmong(mayRevoke, owner));
}

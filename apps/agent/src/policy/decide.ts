// The one place where the rules meet what is asked: every door's requests, claims, extensions and revokes come here.
import type { BufferDefinition } from "@lendbuf/shared/buffer";
import { isFinal } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { AgentError } from "@lendbuf/shared/errors";
import {
  CHOICES,
  type Choice,
  type Explanation,
  RULE_LIMITS,
  type RuleAnswer,
  type RuleLimit,
} from "@lendbuf/shared/rule";
import type { Buffer } from "../buffers/buffer.ts";
import type { Core } from "../core.ts";
import type { Live } from "../delegations/live.ts";
import { heldSince } from "./held-time.ts";
import {
  deciding,
  limiting,
  type Refusal,
  refusalOf,
  revoking,
  type Subject,
  type Thing,
  type Usage,
  usedOf,
  WITHOUT_RULES,
  type Wish,
} from "./rules.ts";

/** `self`: the delegation that it is about, where there is one already. @throws AgentError NOT_ALLOWED, LIMIT: they name the rule */
export function checkPolicy(core: Core, account: string, target: Buffer<Live>, wish: Wish, self?: Live): void {
  const { rules } = core.policy;
  if (rules.length === 0) return;
  const subject = subjectOf(core, account);
  const thing = thingOf(core, target.name, target.definition);
  const refusal = refusalOf(rules, subject, thing, wish, usageOf(core, account, self));
  if (refusal) throw new AgentError(refusal.code, wordsOf(refusal, account, target.name, wish));
}

/** Whether it may be lent although nothing takes it back by force, and which rule says so. */
export function irrevocableBy(
  core: Core,
  account: string,
  target: Buffer<Live>,
): { isAllowed: boolean; rule: string | null } {
  const thing = thingOf(core, target.name, target.definition);
  const rule = deciding(core.policy.rules, "allowIrrevocable", subjectOf(core, account), thing);
  if (rule) return { isAllowed: rule.allowIrrevocable === true, rule: rule.name };
  const { allowIrrevocable } = core.config;
  return {
    isAllowed: allowIrrevocable.includes(target.name) || allowIrrevocable.includes(target.device.name),
    rule: null,
  };
}

/** Whether a rule lets somebody end by force what another account has of a buffer. */
export function mayRevokeBy(core: Core, account: string, delegation: { account: string; buffer: string }): boolean {
  const { rules } = core.policy;
  if (rules.length === 0) return false;
  const [who, owner] = [subjectOf(core, account), subjectOf(core, delegation.account)];
  return revoking(rules, who, owner, thingOf(core, delegation.buffer)) !== undefined;
}

/** What an account would be allowed, and which rule says so. */
export function explain(core: Core, account: string, target: Buffer<Live>): Explanation {
  const subject = subjectOf(core, account);
  const thing = thingOf(core, target.name, target.definition);
  const usage = usageOf(core, account);
  const { rules } = core.policy;
  const choices = CHOICES.map((question): RuleAnswer => {
    if (question === "allowIrrevocable") {
      const { isAllowed, rule } = irrevocableBy(core, account, target);
      return { question, answer: isAllowed, used: null, rule };
    }
    const rule = deciding(rules, question, subject, thing);
    return { question, answer: rule?.[question] ?? WITHOUT_RULES[question], used: null, rule: rule?.name ?? null };
  });
  const limits = RULE_LIMITS.flatMap((question) =>
    limiting(rules, question, subject, thing).map((rule): RuleAnswer => {
      const used = question === "maxLeaseMs" ? null : usedOf(question, rule, usage);
      return { question, answer: rule[question]!, used, rule: rule.name };
    }),
  );
  const setting: RuleAnswer = { question: "maxLeaseMs", answer: core.config.maxLeaseMs, used: null, rule: null };
  return { account, role: subject.role, buffer: target.name, answers: [...choices, setting, ...limits] };
}

function subjectOf({ accounts }: Core, account: string): Subject {
  return { account, role: accounts.roleOf(account), isIn: (group) => accounts.isIn(account, group) };
}

function thingOf(
  core: Core,
  name: string,
  definition: BufferDefinition | undefined = core.buffers.find(name)?.definition,
): Thing {
  return { name, tags: definition?.tags ?? [] };
}

/** Of all that is live but the one that it is about: whoever waits in line counts as having it. Cheap where no rule asks. */
function usageOf(core: Core, account: string, self?: Live): Usage {
  const now = Date.now();
  const lives = () => [...core.ledger.of(account)].filter(({ record }) => !isFinal(record.state));
  return {
    count: (covers) =>
      lives().filter(
        (live) => live !== self && live.record.state !== "revoking" && covers(thingOf(core, live.record.buffer)),
      ).length,
    heldMs: (covers) =>
      core.policy.held.of(account, (buffer) => covers(thingOf(core, buffer)), now) +
      lives()
        .filter(({ record }) => covers(thingOf(core, record.buffer)))
        .reduce((sum, live) => sum + passedMs(live, now) + (live === self ? 0 : leftMs(core, live)), 0),
  };
}

function passedMs({ record }: Live, now: number): number {
  return Math.max(0, now - (heldSince(record) ?? now));
}

function leftMs({ clock }: Core, { record, leaseEndsAt }: Live): number {
  if (record.state === "revoking") return 0;
  return leaseEndsAt === null ? record.leaseMs : Math.max(0, leaseEndsAt - clock.now());
}

/** What is asked, which rule is in the way, and what to do. */
function wordsOf({ question, rule, left }: Refusal, account: string, buffer: string, { leaseMs }: Wish): string {
  const who = `Rule "${rule.name}"`;
  const see = `\`lendbuf policy explain ${account} ${buffer}\` tells all that counts.`;
  return `${who} ${DESCRIBE[question]({ account, buffer, leaseMs, left: left ?? 0, limit: Number(rule[question]) })} ${see}`;
}

interface Words {
  account: string;
  buffer: string;
  leaseMs: number;
  left: number;
  limit: number;
}

const DESCRIBE: { readonly [Q in Choice | RuleLimit]: (words: Words) => string } = {
  allow: ({ account, buffer }) => `does not let ${account} borrow "${buffer}". Ask an admin, or choose another buffer.`,
  mayQueue: ({ account, buffer }) =>
    `does not let ${account} stand in line for "${buffer}", which is taken. Ask again when it is free.`,
  mayExtend: ({ account, buffer }) =>
    `does not let ${account} extend a lease of "${buffer}". Use what is left of it, and ask anew afterwards.`,
  allowIrrevocable: ({ account, buffer }) =>
    `does not let ${account} have "${buffer}" by an exporter that nothing takes back by force.`,
  maxLeaseMs: ({ account, buffer, leaseMs, limit }) =>
    `gives ${account} "${buffer}" for ${formatDuration(limit)} at most; this would be ${formatDuration(leaseMs)}. Ask for less.`,
  maxAtOnce: ({ account, limit }) =>
    `gives ${account} ${limit} buffers of its kind at once at most, with what is waited for, and there is no more. Release some.`,
  maxPerWeekMs: ({ account, leaseMs, left, limit }) =>
    `gives ${account} ${formatDuration(limit)} in seven days, of which ${left > 0 ? formatDuration(left) : "nothing"} is left; this would be ${formatDuration(leaseMs)}. ${left > 0 ? "Ask for less" : "Wait"}, or release what you have early: only time that passed counts then.`,
};

import { formatDuration } from "@lendbuf/shared/duration";
import type { Choice, Explanation, Rule, RuleAnswer, RuleLimit } from "@lendbuf/shared/rule";
import type { Column } from "./table.ts";

/** As the configuration file and the command line write each. */
const NAMES: Record<Choice | RuleLimit, string> = {
  allow: "allow",
  mayQueue: "may-queue",
  mayExtend: "may-extend",
  allowIrrevocable: "allow-irrevocable",
  maxLeaseMs: "max-lease",
  maxAtOnce: "max-at-once",
  maxPerWeekMs: "max-per-week",
};
const QUESTIONS = Object.keys(NAMES) as (Choice | RuleLimit)[];

export const RULE_COLUMNS: readonly Column<Rule>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "FROM", cell: ({ source }) => source, leaveOut: 1 },
  { title: "WHO", cell: ({ who }) => who.join(" ") },
  { title: "BUFFERS", cell: ({ buffers, tags }) => [...buffers, ...tags.map((tag) => `tag:${tag}`)].join(" ") },
  { title: "SAYS", cell: describe },
];

function describe(rule: Rule): string {
  const answers = QUESTIONS.filter((question) => rule[question] !== null).map(
    (question) => `${NAMES[question]} ${inWords(question, rule[question]!)}`,
  );
  return [...answers, ...(rule.mayRevoke.length > 0 ? [`may-revoke ${rule.mayRevoke.join(" ")}`] : [])].join(", ");
}

export const ANSWER_COLUMNS: readonly Column<RuleAnswer>[] = [
  { title: "QUESTION", cell: ({ question }) => NAMES[question] },
  { title: "ANSWER", cell: ({ question, answer }) => inWords(question, answer) },
  { title: "USED", cell: ({ question, used }) => (used === null ? "" : inWords(question, used)) },
  { title: "RULE", cell: ({ rule }) => rule ?? "none" },
];

export function explanationLine({ account, role, buffer }: Explanation): string {
  return `What ${account} (${role ?? "no way in"}) may do with ${buffer}:`;
}

function inWords(question: Choice | RuleLimit, value: boolean | number): string {
  if (typeof value === "boolean") return value ? "yes" : "no";
  return question === "maxAtOnce" ? String(value) : formatDuration(value);
}

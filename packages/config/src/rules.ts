import { INPUTS } from "@lendbuf/shared/api";
import { parseDuration } from "@lendbuf/shared/duration";
import type { Rule } from "@lendbuf/shared/rule";
import { isTable, type Problems } from "./problems.ts";

/** How a rule's fields are written in the file. */
const KEYS = {
  name: { field: "name", read: same },
  who: { field: "who", read: listOf },
  buffers: { field: "buffers", read: listOf },
  tags: { field: "tags", read: listOf },
  allow: { field: "allow", read: yesOrNo },
  "may-queue": { field: "mayQueue", read: yesOrNo },
  "may-extend": { field: "mayExtend", read: yesOrNo },
  "allow-irrevocable": { field: "allowIrrevocable", read: yesOrNo },
  "max-lease": { field: "maxLeaseMs", read: duration },
  "max-per-week": { field: "maxPerWeekMs", read: duration },
  "max-at-once": { field: "maxAtOnce", read: same },
  "may-revoke": { field: "mayRevoke", read: listOf },
} as const;
type Key = keyof typeof KEYS;
const NAMES = Object.keys(KEYS) as Key[];

/** The tables [[rules]], in their order. */
export function readRules(problems: Problems, tables: unknown): Rule[] {
  if (!Array.isArray(tables) || !tables.every(isTable)) {
    problems.add(["rules"], `Rules are tables: [[rules]], and below it name = "…" and what the rule says.`);
    return [];
  }
  const names = new Set<string>();
  return tables.flatMap((table, index) => {
    const rule = readRule(problems, table, index);
    if (rule && names.has(rule.name))
      problems.add(
        ["rules", index, "name"],
        `There is a rule "${rule.name}" already. Each has a name of its own, by which refusals name it.`,
      );
    if (rule) names.add(rule.name);
    return rule ?? [];
  });
}

function readRule(problems: Problems, table: Record<string, unknown>, index: number): Rule | undefined {
  const place = ["rules", index];
  const label = typeof table.name === "string" ? `rule "${table.name}"` : `rule ${index + 1}`;
  const input: Record<string, unknown> = {};
  let isSound = true;
  for (const [key, value] of Object.entries(table)) {
    if (!isKey(key)) {
      problems.addUnknown([...place, key], NAMES, "a rule");
      isSound = false;
      continue;
    }
    const { field, read } = KEYS[key];
    const words = (problem: string) => {
      problems.add([...place, key], `${label}: ${key} ${problem}`);
      isSound = false;
    };
    input[field] = read(value, words);
  }
  if (!isSound) return undefined;
  const { data, error } = INPUTS["policy.define"].safeParse(input);
  for (const { path, message } of error?.issues ?? []) {
    const key = NAMES.find((name) => KEYS[name].field === path[0]) ?? "name";
    problems.add([...place, key], `${label}: ${key}: ${message}.`);
  }
  return data && { ...data, source: "config" };
}

function isKey(key: string): key is Key {
  return Object.hasOwn(KEYS, key);
}

type Complain = (words: string) => void;

function same(value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}

/** One word may stand for a list of one. */
function listOf(value: unknown, complain: Complain): unknown {
  if (typeof value === "string") return [value];
  if (!Array.isArray(value)) complain(`takes a list of words: ["one", "two"].`);
  return value;
}

function yesOrNo(value: unknown, complain: Complain): unknown {
  if (typeof value !== "boolean") complain("takes true or false.");
  return value;
}

function duration(value: unknown, complain: Complain): number | undefined {
  const ms = typeof value === "string" ? parseDuration(value) : undefined;
  if (!ms || !Number.isSafeInteger(ms))
    complain(`is ${JSON.stringify(value)}; it takes a time such as "90s", "2h" or "7d".`);
  return ms;
}

import { readFileSync } from "node:fs";
import type { Config } from "./config.ts";

/** What is no error and may yet be a mistake, a line each: groups that this host does not have, so that nobody is in them. */
export function notesOn({ groupRoles, accounts, rules }: Pick<Config, "groupRoles" | "accounts" | "rules">): string[] {
  const named = [
    ...[...groupRoles.keys()].map((group) => ({ group, by: "[groups]" })),
    ...accounts.flatMap(({ name, groups }) => groups.map((group) => ({ group, by: `account "${name}"` }))),
    ...rules.flatMap(({ name, who, mayRevoke }) =>
      [...who, ...mayRevoke].flatMap((word) => groupOf(word).map((group) => ({ group, by: `rule "${name}"` }))),
    ),
  ];
  const here = groupsHere();
  const missing = named.filter(({ group }) => here !== null && !here.has(group));
  return [
    ...new Set(
      missing.map(
        ({ group, by }) => `${by} names the group "${group}", which this host does not have: nobody is in it.`,
      ),
    ),
  ];
}

function groupOf(word: string): string[] {
  const [, group] = /^!?group:(.*)$/.exec(word) ?? [];
  return group === undefined ? [] : [group];
}

/** As the agent looks groups up; null where that cannot be read. */
function groupsHere(): Set<string> | null {
  try {
    return new Set(
      readFileSync("/etc/group", "utf8")
        .split("\n")
        .map((line) => line.split(":")[0]!),
    );
  } catch {
    return null;
  }
}

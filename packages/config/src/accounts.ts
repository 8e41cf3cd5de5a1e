import type { Account } from "@lendbuf/shared/account";
import { INPUTS } from "@lendbuf/shared/api";
import { isTable, type Problems } from "./problems.ts";

const KEYS = ["role", "kind", "uids", "groups", "disabled"];

/** The tables [accounts.NAME]; `uid`: the agent's own. */
export function readAccounts(problems: Problems, tables: unknown, own: { uid: number; createdAt: number }): Account[] {
  if (!isTable(tables)) {
    problems.add(
      ["accounts"],
      "Accounts are tables: [accounts.alice], and below it role, kind, uids, groups, disabled.",
    );
    return [];
  }
  const taken = new Map<number, string>();
  return Object.entries(tables).flatMap(([name, table]) => readAccount(problems, name, table, own, taken) ?? []);
}

function readAccount(
  problems: Problems,
  name: string,
  table: unknown,
  { uid: ownUid, createdAt }: { uid: number; createdAt: number },
  taken: Map<number, string>,
): Account | undefined {
  const place = ["accounts", name];
  if (!isTable(table)) {
    problems.add(
      place,
      `Account "${name}" is a table: [accounts.${name}], and below it role, kind, uids, groups, disabled.`,
    );
    return undefined;
  }
  const { disabled = false, ...fields } = table;
  for (const key of Object.keys(table))
    if (!KEYS.includes(key)) problems.addUnknown([...place, key], KEYS, "an account");
  if (typeof disabled !== "boolean") problems.add([...place, "disabled"], `disabled takes true or false.`);
  const known = Object.fromEntries(Object.entries(fields).filter(([key]) => KEYS.includes(key)));
  const { data, error } = INPUTS["accounts.create"].safeParse({ ...known, name });
  for (const { path, message } of error?.issues ?? []) {
    const key = path[0] === "name" ? [] : [String(path[0])];
    problems.add([...place, ...key], `account "${name}"${key.length > 0 ? `, ${path.join(".")}` : ""}: ${message}.`);
  }
  if (!data) return undefined;
  for (const uid of data.uids) {
    const other = taken.get(uid);
    if (uid === 0 || uid === ownUid)
      problems.add(
        [...place, "uids"],
        `uid ${uid} is ${uid === 0 ? "root" : "the agent's own"}, who is always an admin. Name others.`,
      );
    else if (other !== undefined)
      problems.add([...place, "uids"], `uid ${uid} is account "${other}" already. Name it once.`);
    taken.set(uid, name);
  }
  return { ...data, disabled: disabled === true, source: "config", createdAt };
}

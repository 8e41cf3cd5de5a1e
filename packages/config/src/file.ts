import { readFileSync, statSync } from "node:fs";
import type { Account } from "@lendbuf/shared/account";
import type { Rule } from "@lendbuf/shared/rule";
import { parse, TomlError } from "smol-toml";
import { readAccounts } from "./accounts.ts";
import { ConfigError } from "./config-error.ts";
import { isTable, Problems } from "./problems.ts";
import { readRules } from "./rules.ts";

/** What an option is set to, and where, for people. */
export interface Given {
  value: string;
  from: string;
}

/** What stands in the file: options as the command line would have them, accounts and rules. */
export interface FileContents {
  options: ReadonlyMap<string, Given>;
  accounts: readonly Account[];
  rules: readonly Rule[];
  /** All that is wrong with it, a line each. */
  problems: readonly string[];
}

/** The file's own form of --group-role. */
const GROUPS = "groups";
const GROUP_ROLE = "group-role";

/** @throws ConfigError where it cannot be read, or is no TOML: then nothing more can be said */
export function readFile(path: string, optionNames: readonly string[], uid: number): FileContents {
  const text = textOf(path);
  const table = tableOf(path, text);
  const problems = new Problems(path, text);
  const { accounts = {}, rules = [], ...rest } = table;
  const options = new Map<string, Given>();
  for (const [key, value] of Object.entries(rest)) readOption(problems, options, optionNames, key, value);
  return {
    options,
    accounts: readAccounts(problems, accounts, { uid, createdAt: Math.round(statSync(path).mtimeMs) }),
    rules: readRules(problems, rules),
    problems: problems.all,
  };
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" ? "there is no such file" : `it cannot be read (${code})`;
    throw new ConfigError(`The configuration ${path}: ${why}. Name another with --config (LENDBUF_CONFIG), or none.`, {
      cause,
    });
  }
}

function tableOf(path: string, text: string) {
  try {
    return parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    const [words] = cause.message.split("\n");
    throw new ConfigError(
      `${path}:${cause.line}: ${words!.replace(/^Invalid TOML document: /, "this is no TOML: ")}.`,
      {
        cause,
      },
    );
  }
}

function readOption(
  problems: Problems,
  options: Map<string, Given>,
  names: readonly string[],
  key: string,
  value: unknown,
) {
  if (key === GROUPS) {
    const roles = Object.entries(isTable(value) ? value : {});
    if (!isTable(value) || roles.some(([, role]) => typeof role !== "string"))
      return problems.add([key], `[groups] takes a role for each group of this host, such as lab = "member".`);
    options.set(GROUP_ROLE, {
      value: roles.map((pair) => pair.join("=")).join(","),
      from: `${problems.placeOf([key])}: [groups]`,
    });
    return;
  }
  if (key === GROUP_ROLE)
    return problems.add(
      [key],
      `In a file it is a table: [groups], and below it a role for each group, such as lab = "member".`,
    );
  if (!names.includes(key))
    return problems.addUnknown(
      [key],
      [...names.filter((name) => name !== GROUP_ROLE), GROUPS, "accounts", "rules"],
      "the configuration",
    );
  const words = wordsOf(value);
  if (words === undefined) return problems.add([key], `${key} takes one value, or a list of words: ["one", "two"].`);
  options.set(key, { value: words, from: `${problems.placeOf([key])}: ${key}` });
}

/** As the command line would have it. */
function wordsOf(value: unknown): string | undefined {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return value ? "on" : "off";
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (Array.isArray(value) && value.every((one) => typeof one === "string")) return value.join(",");
  return undefined;
}

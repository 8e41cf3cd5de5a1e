import type { Role } from "./role.ts";
import type { Source } from "./rule.ts";

export const ACCOUNT_KINDS = ["person", "service"] as const;
export type AccountKind = (typeof ACCOUNT_KINDS)[number];

/** How an account of one's own making is named. */
export const ACCOUNT_NAME = /^[a-z][a-z0-9._-]{0,31}$/;
/** Any: `alice`, or `uid:1000`, which every uid is that no account names. */
export const ACCOUNT = /^(?:[a-z][a-z0-9._-]{0,31}|uid:\d{1,10})$/;

/** Characters of a password: many rather than strange ones. */
export const PASSWORD_LENGTH = { least: 12, most: 256 };

/** A person or a service with a role. */
export interface Account {
  name: string;
  kind: AccountKind;
  role: Role;
  /** Who these are on the agent's host is this account. */
  uids: number[];
  /** So is whoever is in one of these groups there, unless an account names its uid. */
  groups: string[];
  /** One that stands in the configuration file is changed there alone. */
  source: Source;
  /** Has no way in. */
  disabled: boolean;
  /** Wall-clock milliseconds. */
  createdAt: number;
}

import type { Role } from "./role.ts";

/** Where an account or a rule stands: in the agent's configuration file, or made by an admin. */
export const SOURCES = ["config", "store"] as const;
export type Source = (typeof SOURCES)[number];

export const RULE_NAME = /^[a-z][a-z0-9._-]{0,63}$/;
/** `*`, `alice`, `ci-*`, `uid:1000`, `role:member`, `group:lab`; with `!` before it: but not these. */
export const WHO =
  /^!?(?:\*|role:(?:viewer|member|operator|admin)|group:[\w.-]{1,32}|uid:[0-9*?]{1,10}|[a-z*?][a-z0-9._*?-]{0,31})$/;
/** `*`, `fpga/*`, `sim0/ch?`; with `!` before it: but not these. */
export const BUFFER_PATTERN = /^!?[A-Za-z0-9._:*?/-]{1,128}$/;

/** Says who may borrow what, for how long, and who may end whose. What is null it leaves to others. */
export interface Rule {
  name: string;
  source: Source;
  who: string[];
  buffers: string[];
  /** Only buffers that have one of these; empty: whatever they have. */
  tags: string[];
  allow: boolean | null;
  mayQueue: boolean | null;
  mayExtend: boolean | null;
  allowIrrevocable: boolean | null;
  maxLeaseMs: number | null;
  /** All together in seven days. */
  maxPerWeekMs: number | null;
  maxAtOnce: number | null;
  /** Whose delegations of these buffers they may end by force. */
  mayRevoke: string[];
}

export const CHOICES = ["allow", "mayQueue", "mayExtend", "allowIrrevocable"] as const;
export type Choice = (typeof CHOICES)[number];
export const RULE_LIMITS = ["maxLeaseMs", "maxAtOnce", "maxPerWeekMs"] as const;
export type RuleLimit = (typeof RULE_LIMITS)[number];

/** What the rules answer to one question. */
export interface RuleAnswer {
  question: Choice | RuleLimit;
  /** Yes or no, or the limit: milliseconds, or how many. */
  answer: boolean | number;
  /** How much of the limit is used up; null where it is no such limit. */
  used: number | null;
  /** Which rule says so; null: none does, and the agent's settings count. */
  rule: string | null;
}

/** What an account would be allowed to do with a buffer. */
export interface Explanation {
  account: string;
  role: Role | null;
  buffer: string;
  /** One for each choice, and one for each limit that counts. */
  answers: RuleAnswer[];
}

/** What a reading of the configuration file anew has changed, or would. */
export interface Reloaded {
  file: string;
  /** Options, accounts and rules, by their names. */
  changed: string[];
  /** Options that say something else than the agent was started with, which count from its next start. */
  needsRestart: string[];
  /** What is no error and may yet be a mistake, for people. */
  notes: string[];
  accounts: number;
  rules: number;
}

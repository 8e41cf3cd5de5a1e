// What --dry-run answers: what a command would do, to whom, and whether it would be refused, as far as can be told without doing it.

import type { Calls } from "@lendbuf/client/calls";
import type { Method } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import type { ErrorCode } from "@lendbuf/shared/errors";
import { harmless } from "@lendbuf/shared/harmless";
import { mayCall, mayTouch, PERMISSIONS } from "@lendbuf/shared/permissions";
import type { Identity } from "@lendbuf/shared/session";
import { Option } from "commander";
import { EXIT_BY_ERROR } from "../exit-codes.ts";
import { DELEGATION_COLUMNS } from "../output/delegation.ts";
import { printJson, printLine } from "../output/print.ts";
import { Table } from "../output/table.ts";

export interface Refusal {
  code: ErrorCode;
  message: string;
}

export interface Plan {
  /** "revoke 2 delegations" */
  would: string;
  /** Whose memory goes, or is touched. */
  hits: Delegation[];
  /** Null: nothing is seen to be in the way. */
  refusal: Refusal | null;
}

/** Of every command that changes something. */
export const dryRunOption = () => new Option("--dry-run", "only say what would happen, and to whom");

export function plan(would: string, { hits = [], refusal = null }: Partial<Plan> = {}): Plan {
  return { would, hits, refusal };
}

export function refuse(code: ErrorCode, message: string): Refusal {
  return { code, message };
}

/** Prints it; the exit code is that of the refusal. */
export async function showPlan({ would, hits, refusal }: Plan, json: boolean): Promise<void> {
  if (json) await printJson({ dryRun: true, would, hits, refusal });
  else {
    const lines = [`Would ${harmless(would)}. Nothing was changed.`];
    if (hits.length > 0) lines.push(...new Table(DELEGATION_COLUMNS).lines(hits));
    if (refusal) lines.push(`It would be refused (${refusal.code}): ${harmless(refusal.message)}`);
    await printLine(lines.join("\n"));
  }
  if (refusal) process.exitCode = EXIT_BY_ERROR[refusal.code];
}

/** Whether the caller's role is too little for what a method does. */
export async function roleRefusal(agent: Calls, method: Method): Promise<Refusal | null> {
  const { account, role } = await agent.call("sessions.me");
  if (mayCall(role, method)) return null;
  return refuse(
    "NOT_ALLOWED",
    `${method} takes the role ${PERMISSIONS[method].role}; ${account} has the role ${role}.`,
  );
}

/** Whether somebody may not do for an account what a method does. */
export function wrongFor(me: Identity, method: Method, account: string): Refusal | null {
  if (mayTouch(me, method, account)) return null;
  const { others } = PERMISSIONS[method];
  return refuse(
    "NOT_ALLOWED",
    `${method} for ${account} takes the role ${others}; ${me.account} has the role ${me.role}.`,
  );
}

/** "1 delegation", "3 delegations" */
export function delegations(count: number): string {
  return `${count} delegation${count === 1 ? "" : "s"}`;
}

/** Of a way in: a token, a browser's session. */
export function planEndOf(what: string, id: string, known: readonly { id: string; account: string }[]): Plan {
  const found = known.find((one) => one.id === id);
  if (found) return plan(`end ${what} ${id} of ${found.account}`);
  return plan(`end ${what} ${id}`, { refusal: refuse("NOT_FOUND", `There is no ${what} ${id} of yours.`) });
}

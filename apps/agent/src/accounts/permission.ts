import type { Method } from "@lendbuf/shared/api";
import { AgentError } from "@lendbuf/shared/errors";
import { mayCall, mayTouch, PERMISSIONS } from "@lendbuf/shared/permissions";
import type { Caller, Core } from "../core.ts";

/** @throws AgentError NOT_ALLOWED */
export function requireRole(caller: Caller, method: Method): void {
  if (mayCall(caller.role, method)) return;
  throw new AgentError("NOT_ALLOWED", `${method} takes the role ${PERMISSIONS[method].role}; ${whoIs(caller)}`);
}

/** The account that a call is for, where it may name another. @throws AgentError NOT_ALLOWED, NOT_FOUND */
export function accountFor({ accounts }: Core, caller: Caller, method: Method, wanted: string | undefined): string {
  if (wanted === undefined) return caller.account;
  const account = accounts.meant(wanted);
  if (mayTouch(caller, method, account)) return account;
  throw new AgentError(
    "NOT_ALLOWED",
    `${method} for ${account} takes the role ${PERMISSIONS[method].others}; ${whoIs(caller)} Leave the account out to act for yourself.`,
  );
}

/** Whether the caller sees what everybody has. */
export function seesAll({ config }: Core, caller: Caller): boolean {
  return caller.isOperator || config.visibility === "all";
}

/** Whether the caller sees what this account has. */
export function sees(core: Core, caller: Caller, account: string): boolean {
  return account === caller.account || seesAll(core, caller);
}

function whoIs({ account, role, door }: Caller): string {
  const through = door === "token" ? " through this token, whose scope may be less than its account's" : "";
  const rest =
    role === null ? "has no way in any more" : `is ${role === "admin" || role === "operator" ? "an" : "a"} ${role}`;
  return `${account} ${rest}${through}.`;
}

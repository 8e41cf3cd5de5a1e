// Who may call what. The agent asks this table and nothing else; clients may ask it to say beforehand what would be refused.
import type { Method } from "./api.ts";
import { atLeast, type Role } from "./role.ts";

export interface Permission {
  /** The least role that may call it. */
  readonly role: Role;
  /** The least role for which it also works on what other accounts have; left out where there is no such thing. */
  readonly others?: Role;
}

const VIEWER: Permission = { role: "viewer" };
const OPERATOR: Permission = { role: "operator" };
const ADMIN: Permission = { role: "admin" };
/** For oneself; operators for everybody. */
const OWN: Permission = { role: "member", others: "operator" };
/** Ways in: one's own; admins all. */
const OWN_WAYS_IN: Permission = { role: "viewer", others: "admin" };

export const PERMISSIONS: { readonly [M in Method]: Permission } = {
  "status.get": VIEWER,
  "status.watch": VIEWER,
  "devices.list": VIEWER,
  "devices.suspend": OPERATOR,
  "devices.resume": OPERATOR,
  "devices.drain": OPERATOR,
  "devices.undrain": OPERATOR,
  "host.doctor": VIEWER,
  "host.dmabufs": OPERATOR,
  "buffers.list": VIEWER,
  "buffers.get": VIEWER,
  "buffers.define": OPERATOR,
  "buffers.remove": OPERATOR,
  "buffers.lift": OPERATOR,
  "buffers.watch": VIEWER,
  "buffers.read": OWN,
  "buffers.peek": OPERATOR,
  "buffers.poke": OPERATOR,
  /** Whether viewers and members see what others have is the agent's setting (--visibility). */
  "delegations.list": VIEWER,
  "delegations.get": VIEWER,
  "delegations.watch": VIEWER,
  "delegations.follow": VIEWER,
  "delegations.request": OWN,
  "delegations.claim": { role: "member" },
  "delegations.borrow": { role: "member" },
  "delegations.resume": { role: "member" },
  "delegations.extend": OWN,
  "delegations.sync": { role: "member" },
  "delegations.handOver": OWN,
  "delegations.release": OWN,
  /** And where a rule of the policy says so, that of others. */
  "delegations.revoke": OWN,
  "delegations.revokeAll": OPERATOR,
  "delegations.holders": OWN,
  /** Everybody sees when a buffer is taken. */
  "reservations.list": VIEWER,
  "reservations.watch": VIEWER,
  "reservations.create": OWN,
  "reservations.cancel": OWN,
  "audit.list": OPERATOR,
  "audit.watch": OPERATOR,
  "audit.who": OPERATOR,
  "audit.export": OPERATOR,
  "audit.head": OPERATOR,
  "audit.verify": OPERATOR,
  "sessions.me": VIEWER,
  "sessions.createLink": OWN_WAYS_IN,
  "sessions.list": OWN_WAYS_IN,
  "sessions.end": OWN_WAYS_IN,
  "tokens.create": OWN_WAYS_IN,
  "tokens.list": OWN_WAYS_IN,
  "tokens.remove": OWN_WAYS_IN,
  "accounts.list": { role: "member" },
  "accounts.create": ADMIN,
  "accounts.update": ADMIN,
  "accounts.remove": ADMIN,
  "accounts.setPassword": OWN_WAYS_IN,
  "policy.list": VIEWER,
  "policy.define": ADMIN,
  "policy.remove": ADMIN,
  "policy.explain": { role: "viewer", others: "operator" },
  "config.reload": ADMIN,
};

/** Null: somebody who has no way in. */
export function mayCall(role: Role | null, method: Method): boolean {
  return atLeast(role, PERMISSIONS[method].role);
}

/** Whether a method works for a role on what other accounts have. */
export function mayTouchOthers(role: Role | null, method: Method): boolean {
  const { others } = PERMISSIONS[method];
  return others !== undefined && atLeast(role, others);
}

/** Whether a method works for somebody on what this account has. */
export function mayTouch(who: { account: string; role: Role | null }, method: Method, account: string): boolean {
  return account === who.account || mayTouchOthers(who.role, method);
}

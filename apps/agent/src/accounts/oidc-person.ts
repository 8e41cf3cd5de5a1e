import type { OidcChoice } from "@lendbuf/config/oidc-config";
import { ACCOUNT_NAME } from "@lendbuf/shared/account";
import { atLeast, type Role } from "@lendbuf/shared/role";
import type { Accounts } from "./accounts.ts";
import { uidOfName } from "./host-users.ts";

/** The provider knows this person, and we have no way in for it; the message is for the person. */
export class NotLetIn extends Error {}

type Mapping = Pick<OidcChoice, "claim" | "groupsClaim" | "createFor">;

/** The account of a person of whom the provider says this. @throws NotLetIn, AgentError STORE_READ_ONLY */
export function accountOf(claims: Readonly<Record<string, unknown>>, mapping: Mapping, accounts: Accounts): string {
  const name = claims[mapping.claim];
  // Never `uid:0`, whoever is called so over there.
  if (typeof name !== "string" || !ACCOUNT_NAME.test(name))
    throw new NotLetIn(
      `Your identity provider gives no "${mapping.claim}" that could be an account here: a small letter, then small letters, digits and . _ -. Ask an admin.`,
    );
  const account = accounts.all().find((one) => one.name === name);
  if (!account) return create(name, claims, mapping, accounts);
  if (account.disabled) throw new NotLetIn(`Account ${name} is disabled here. Ask an admin.`);
  if (account.kind === "service")
    throw new NotLetIn(`Account ${name} is a service's, which comes in with a token and not by a person.`);
  return name;
}

function create(
  name: string,
  claims: Readonly<Record<string, unknown>>,
  { groupsClaim, createFor }: Mapping,
  accounts: Accounts,
): string {
  const role = greatest(groupsOf(claims[groupsClaim]).map((group) => createFor.get(group)));
  if (!role) throw new NotLetIn(`There is no account "${name}" here. Ask an admin for one, and sign in again.`);
  // Else whoever is called so over there would be handed what people here mean for that user.
  if (uidOfName(name) !== undefined)
    throw new NotLetIn(
      `"${name}" is a user of the agent's host, for whom an admin makes the account: lendbuf account create ${name} --uid N.`,
    );
  const account = {
    name,
    role,
    uids: [],
    groups: [],
    disabled: false,
    source: "store" as const,
    createdAt: Date.now(),
  };
  accounts.create({ ...account, kind: "person" }, `${name} oidc`);
  return name;
}

function groupsOf(claim: unknown): string[] {
  const groups = Array.isArray(claim) ? claim : [claim];
  return groups.filter((group): group is string => typeof group === "string");
}

function greatest(roles: readonly (Role | undefined)[]): Role | undefined {
  return roles.reduce((best, role) => (role && (!best || atLeast(role, best)) ? role : best), undefined);
}

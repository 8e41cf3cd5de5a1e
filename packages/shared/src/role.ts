/** From the least to the most: each may do what those before it may. */
export const ROLES = ["viewer", "member", "operator", "admin"] as const;
export type Role = (typeof ROLES)[number];

export function atLeast(role: Role | null, wanted: Role): boolean {
  return role !== null && ROLES.indexOf(role) >= ROLES.indexOf(wanted);
}

export function lower(one: Role, other: Role): Role {
  return atLeast(one, other) ? other : one;
}

/** What a token is good for, whatever its account may do besides; none makes an admin. `calendar`: /calendar.ics and nothing else, so that it may stand in an address. */
export const SCOPES = ["read", "lend", "operate", "calendar"] as const;
export type Scope = (typeof SCOPES)[number];

export const ROLE_OF_SCOPE: { readonly [S in Scope]: Role } = {
  read: "viewer",
  lend: "member",
  operate: "operator",
  calendar: "viewer",
};

import { atLeast, lower, type Role } from "@lendbuf/shared/role";
import type { Caller } from "../core.ts";
import type { Accounts } from "./accounts.ts";

type Came = Pick<Caller, "door" | "credential" | "expiresAt">;

/** What a caller's role is limited by, besides its account's. */
interface Bounds {
  /** The groups of the process, where one can be seen. */
  gids?: readonly number[];
  /** A token's scope as a role. */
  most?: Role;
}

/** One who has come in. `through`: by which process or credential, looked at when it is first told. Its role is its account's of this moment, for a connection may outlast a change. */
export function callerOf(
  accounts: Accounts,
  account: string,
  through: () => string,
  came: Came,
  bounds: Bounds = {},
): Caller {
  const { gids, most } = bounds;
  let actor: string | undefined;
  return {
    account,
    get actor() {
      return (actor ??= `${account} ${through()}`);
    },
    ...came,
    get role() {
      const role = accounts.roleOf(account, gids);
      return role && most ? lower(role, most) : role;
    },
    get isOperator() {
      return atLeast(this.role, "operator");
    },
  };
}

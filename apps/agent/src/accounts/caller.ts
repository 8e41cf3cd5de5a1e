import type { Caller } from "../core.ts";

/** Root and the agent's own uid operate; anybody else sees and ends only its own. */
export function callerOf(
  uid: number,
  through: string,
  came: Pick<Caller, "door" | "credential" | "expiresAt">,
): Caller {
  const account = `uid:${uid}`;
  return { account, actor: `${account} ${through}`, isOperator: uid === 0 || uid === process.getuid!(), ...came };
}

export function uidOf(account: string): number {
  return Number(account.slice("uid:".length));
}

import type { Caller } from "../core.ts";

/** Root and the agent's own uid operate; anybody else sees and ends only its own. `through`: by which process or credential, looked at when it is told. */
export function callerOf(
  uid: number,
  through: () => string,
  came: Pick<Caller, "door" | "credential" | "expiresAt">,
): Caller {
  const account = `uid:${uid}`;
  let actor: string | undefined;
  return {
    account,
    get actor() {
      return (actor ??= `${account} ${through()}`);
    },
    isOperator: uid === 0 || uid === process.getuid!(),
    ...came,
  };
}

export function uidOf(account: string): number {
  return Number(account.slice("uid:".length));
}

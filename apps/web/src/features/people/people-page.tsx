"use client";
import { mayCall } from "@lendbuf/shared/permissions";
import { useLive } from "../connection/live.tsx";
import { AccountsSection } from "./accounts-section.tsx";
import { OwnSection } from "./own-section.tsx";
import { SessionsSection } from "./sessions-section.tsx";
import { TokensSection } from "./tokens-section.tsx";

/** Who may come in, and by what; for who is no admin, what is one's own. */
export function PeoplePage() {
  const { me } = useLive();
  if (!me) return null;
  return (
    <>
      <h1 className="sr-only">People</h1>
      <OwnSection me={me} />
      {mayCall(me.role, "accounts.update") && <AccountsSection me={me} />}
      <TokensSection me={me} />
      <SessionsSection me={me} />
    </>
  );
}

"use client";
import { createContext, useContext, useEffect, useState } from "react";
import { answerOtherTabs, askOtherTabs, forgetKey, storedKey, storeKey, tellOtherTabsSignedOut } from "./key.ts";
import { logIn, type Proof } from "./log-in.ts";
import { takeSecret } from "./take-secret.ts";

export type Session =
  | { state: "looking" }
  /** `problem`: why not, in words for people. */
  | { state: "signed-out"; problem: string | null }
  | { state: "signed-in"; key: string };

export interface SessionControl {
  session: Session;
  /** @throws NewPasswordNeeded, Error with the agent's words */
  signIn(proof: Proof): Promise<void>;
  /** Forgets the key; other tabs follow only where the person asked for it. */
  signOut(problem: string | null): void;
}

const Control = createContext<SessionControl | undefined>(undefined);
export const SessionControlProvider = Control;

export function useSessionControl(): SessionControl {
  const control = useContext(Control);
  if (!control) throw new Error("outside of the session gate");
  return control;
}

const SIGNED_OUT_ELSEWHERE = "You signed out in another tab.";

/** Finds this tab's session: from a login link, from before a reload, or from another tab. */
export function useSession(): SessionControl {
  const [session, setSession] = useState<Session>({ state: "looking" });
  const [control] = useState(() => ({
    async signIn(proof: Proof) {
      const key = await logIn(proof);
      storeKey(key);
      setSession({ state: "signed-in", key });
    },
    signOut(problem: string | null) {
      forgetKey();
      if (problem === null) tellOtherTabsSignedOut();
      setSession({ state: "signed-out", problem });
    },
  }));

  useEffect(() => {
    const look = () => void findSession().then((found) => found && setSession(found));
    look();
    window.addEventListener("hashchange", look);
    return () => window.removeEventListener("hashchange", look);
  }, []);

  const isSignedIn = session.state === "signed-in";
  useEffect(() => {
    if (isSignedIn) return answerOtherTabs(() => control.signOut(SIGNED_OUT_ELSEWHERE));
  }, [isSignedIn, control]);

  return { session, ...control };
}

let found: Promise<unknown> = Promise.resolve();

/** One after the other: a link may be opened while the one before is still being traded. */
function findSession(): Promise<Session> {
  const finding = found.then(find);
  found = finding;
  return finding;
}

async function find(): Promise<Session> {
  const secret = takeSecret();
  let problem: string | null = null;
  if (secret) {
    try {
      const key = await logIn({ secret });
      storeKey(key);
      return { state: "signed-in", key };
    } catch (cause) {
      problem = (cause as Error).message;
    }
  }
  const key = storedKey() ?? (await askOtherTabs());
  if (!key) return { state: "signed-out", problem };
  storeKey(key);
  return { state: "signed-in", key };
}

"use client";
import type { ReactNode } from "react";
import { Announcer } from "../../ui/announcer.tsx";
import { ConnectionProvider } from "../connection/connection-provider.tsx";
import { Frame } from "../frame/frame.tsx";
import { Wordmark } from "../frame/wordmark.tsx";
import { SessionControlProvider, useSession } from "./session.ts";
import { SignedOut } from "./signed-out.tsx";

/** Shows the page to those who are signed in, and the way in to others. */
export function SessionGate({ children }: { children: ReactNode }) {
  const control = useSession();
  const { session } = control;
  return (
    <SessionControlProvider value={control}>
      <Announcer>
        {session.state === "looking" && <Looking />}
        {session.state === "signed-out" && <SignedOut key={session.problem} problem={session.problem} />}
        {session.state === "signed-in" && (
          <ConnectionProvider key={session.key} apiKey={session.key}>
            <Frame>{children}</Frame>
          </ConnectionProvider>
        )}
      </Announcer>
    </SessionControlProvider>
  );
}

/** Also what the page is before its scripts have come. */
function Looking() {
  return (
    <main className="flex h-11 items-center gap-3 border-b px-4">
      <Wordmark />
      <noscript>
        <p>This page needs JavaScript. On the agent's host, `lendbuf status` says the same things in a terminal.</p>
      </noscript>
    </main>
  );
}

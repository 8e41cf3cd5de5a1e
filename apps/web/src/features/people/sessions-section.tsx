"use client";
import type { Identity, Session } from "@lendbuf/shared/session";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Moment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { Row, Section } from "./section.tsx";

/** Where one is now is what one looks for first. */
function currentFirst(sessions: readonly Session[]): Session[] {
  return [...sessions].sort((a, b) => Number(b.isCurrent) - Number(a.isCurrent));
}

/** The browsers that are signed in: one's own, for admins everybody's. */
export function SessionsSection({ me }: { me: Identity }) {
  const trpc = useTRPC();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const sessions = useQuery({ ...trpc.sessions.list.queryOptions(), staleTime: 0 });
  const end = useMutation(
    trpc.sessions.end.mutationOptions({
      onSuccess() {
        announce("That browser is signed out.");
        void sessions.refetch();
      },
    }),
  );
  const problem = sessions.error ?? end.error;
  return (
    <Section id="sessions" title="Sessions" about="Browsers that are signed in. An end counts at once.">
      {problem && <Problem>{problem.message}</Problem>}
      <ul aria-label="Sessions">
        {currentFirst(sessions.data ?? []).map(({ id, account, createdAt, expiresAt, isCurrent }) => (
          <Row
            key={id}
            actions={
              !isCurrent && (
                <Button
                  look="quiet"
                  aria-label={`End session ${id} of ${account}`}
                  disabled={!isInTouch || end.isPending}
                  onClick={() => end.mutate({ id })}
                >
                  End
                </Button>
              )
            }
          >
            <span className="font-medium">{isCurrent ? "This browser" : "Another browser"}</span>{" "}
            {account !== me.account && <span className="code">{account}</span>}
            <span className="block text-muted">
              <span className="code">{id}</span>, signed in <Moment at={createdAt} />, ends <Moment at={expiresAt} />
            </span>
          </Row>
        ))}
      </ul>
    </Section>
  );
}

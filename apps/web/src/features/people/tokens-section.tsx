"use client";
import type { Identity, Token } from "@lendbuf/shared/session";
import { useMutation, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Moment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { SCOPE_CHOICES } from "./role-words.ts";
import { Row, Section } from "./section.tsx";
import { TokenDialog } from "./token-dialog.tsx";

/** The ways in for scripts: one's own, for admins everybody's. */
export function TokensSection({ me }: { me: Identity }) {
  const trpc = useTRPC();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const [isOpen, setOpen] = useState(false);
  const tokens = useQuery({ ...trpc.tokens.list.queryOptions(), staleTime: 0 });
  const remove = useMutation(
    trpc.tokens.remove.mutationOptions({
      onSuccess(_answer, { id }) {
        announce(`Token ${id} is good for nothing any more.`);
        void tokens.refetch();
      },
    }),
  );
  const problem = tokens.error ?? remove.error;
  return (
    <Section
      id="tokens"
      title="Tokens"
      about="By which scripts come in over HTTP. Each is good for its scope, and never for more than its account."
      action={
        <Button disabled={!isInTouch} onClick={() => setOpen(true)}>
          New token
        </Button>
      }
    >
      {problem && <Problem>{problem.message}</Problem>}
      {tokens.data?.length === 0 && <p className="px-4 text-muted">There are none.</p>}
      <ul aria-label="Tokens">
        {tokens.data?.map((token) => (
          <Row
            key={token.id}
            actions={
              <Button
                look="quiet"
                aria-label={`Revoke token ${token.name}`}
                disabled={!isInTouch || remove.isPending}
                onClick={() => remove.mutate({ id: token.id })}
              >
                Revoke
              </Button>
            }
          >
            <TokenWords token={token} isOwn={token.account === me.account} />
          </Row>
        ))}
      </ul>
      {isOpen && (
        <TokenDialog
          onClose={() => {
            setOpen(false);
            void tokens.refetch();
          }}
        />
      )}
    </Section>
  );
}

function TokenWords({ token, isOwn }: { token: Token; isOwn: boolean }) {
  const { id, name, account, scope, createdAt, expiresAt } = token;
  const choice = SCOPE_CHOICES.find(({ value }) => value === scope)!;
  return (
    <>
      <span className="font-medium wrap-anywhere">{name}</span>{" "}
      <span title={choice.title}>{choice.label.toLowerCase()}</span>
      <span className="block text-muted">
        {isOwn ? "yours" : <span className="code">{account}</span>}, <span className="code">{id}</span>, made{" "}
        <Moment at={createdAt} />, ends <Moment at={expiresAt} />
      </span>
    </>
  );
}

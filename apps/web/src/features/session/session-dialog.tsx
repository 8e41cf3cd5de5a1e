"use client";
import type { Role } from "@lendbuf/shared/role";
import { useMutation, useQuery } from "@tanstack/react-query";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Moment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { useSessionControl } from "./session.ts";

const MAY: Record<Role, string> = {
  viewer: "a viewer: you see, and borrow nothing",
  member: "a member: you borrow, and end what is yours",
  operator: "an operator: you also end what others have",
  admin: "an admin: you also say who may do what",
};

/** Who you are to the agent, which browsers are signed in, and signing out. */
export function SessionDialog({ onClose }: { onClose(): void }) {
  const trpc = useTRPC();
  const { me } = useLive();
  const { signOut } = useSessionControl();
  const isInTouch = useIsInTouch();
  const sessions = useQuery({ ...trpc.sessions.list.queryOptions(), staleTime: 0 });
  const end = useMutation(trpc.sessions.end.mutationOptions({ onSuccess: () => sessions.refetch() }));
  const current = sessions.data?.find(({ isCurrent }) => isCurrent);

  async function leave() {
    // Signed out is who has no key: also where the agent cannot be told.
    if (current) await end.mutateAsync({ id: current.id }).catch(() => undefined);
    signOut(null);
  }

  return (
    <Dialog
      title="Session"
      description={
        me && (
          <>
            You are <span className="code text-ink">{me.account}</span>
            {me.name && ` (${me.name})`}, {MAY[me.role]}.
          </>
        )
      }
      onClose={onClose}
    >
      <ul className="border-t">
        {sessions.data?.map(({ id, account, createdAt, expiresAt, isCurrent }) => (
          <li key={id} className="flex items-center gap-3 border-b py-2">
            <span className="min-w-0 grow">
              <span className="font-medium">{isCurrent ? "This browser" : "Another browser"}</span>{" "}
              <span className="code text-muted">{account}</span>
              <span className="block text-muted">
                signed in <Moment at={createdAt} />, ends <Moment at={expiresAt} />
              </span>
            </span>
            {!isCurrent && (
              <Button look="quiet" disabled={!isInTouch || end.isPending} onClick={() => end.mutate({ id })}>
                End
              </Button>
            )}
          </li>
        ))}
      </ul>
      {(sessions.error ?? end.error) && <Problem>{(sessions.error ?? end.error)!.message}</Problem>}
      <div className="mt-4 flex justify-end">
        <Button onClick={() => void leave()}>Sign out</Button>
      </div>
    </Dialog>
  );
}

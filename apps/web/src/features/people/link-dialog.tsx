"use client";
import { useMutation } from "@tanstack/react-query";
import { Button } from "../../ui/button.tsx";
import { Snippet } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Moment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";

/** A link that signs somebody else in. */
export function LinkDialog({ account, onClose }: { account: string; onClose(): void }) {
  const trpc = useTRPC();
  const isInTouch = useIsInTouch();
  const { data, error, isPending, mutate } = useMutation(trpc.sessions.createLink.mutationOptions());
  return (
    <Dialog
      title={`A login link for ${account}`}
      description={`Whoever opens it first is ${account} here for seven days. Hand it over where nobody else reads it.`}
      onClose={onClose}
    >
      <div className="grid gap-4">
        {data && (
          <>
            <Snippet label="The link" text={data.url} />
            <p className="text-muted">
              It works once, and ends <Moment at={data.expiresAt} />. It is not shown again.
            </p>
          </>
        )}
        {error && <Problem>{error.message}</Problem>}
        <div className="flex justify-end">
          {data ? (
            <Button onClick={onClose}>Done</Button>
          ) : (
            <Button look="primary" disabled={!isInTouch || isPending} onClick={() => mutate({ account })}>
              Make the link
            </Button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

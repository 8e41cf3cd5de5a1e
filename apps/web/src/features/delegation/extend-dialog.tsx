"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Choice } from "../../ui/field.tsx";
import { formatMoment } from "../../ui/moment.tsx";
import { useNow } from "../../ui/now.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";

const STEPS = [
  { value: "900000", label: "15 min" },
  { value: "3600000", label: "1 h" },
  { value: "14400000", label: "4 h" },
  { value: "86400000", label: "1 day" },
] as const;

/** More time for a lease. */
export function ExtendDialog({ delegation, onClose }: { delegation: Delegation; onClose(): void }) {
  const trpc = useTRPC();
  const now = useNow();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const [by, setBy] = useState<(typeof STEPS)[number]["value"]>("3600000");
  const { id, buffer, expiresAt } = delegation;
  const extend = useMutation(
    trpc.delegations.extend.mutationOptions({
      onSuccess(extended) {
        announce(`Delegation ${id} now ends ${formatMoment(extended.expiresAt ?? now)}.`);
        onClose();
      },
    }),
  );
  const left = Math.max(0, (expiresAt ?? now) - now);
  return (
    <Dialog
      title={`Extend delegation ${id} of ${buffer}`}
      description={`${formatDuration(left)} are left.`}
      onClose={onClose}
    >
      <form
        className="grid gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          extend.mutate({ id, byMs: Number(by) });
        }}
      >
        <Choice legend="Add" value={by} options={STEPS} onChange={setBy} />
        <p className="text-muted">It would end {formatMoment(now + left + Number(by))}.</p>
        {extend.error && <Problem>{extend.error.message}</Problem>}
        <div className="flex justify-end">
          <Button type="submit" look="primary" disabled={!isInTouch || extend.isPending}>
            Extend
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

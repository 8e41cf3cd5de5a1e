"use client";
import type { Hold } from "@lendbuf/shared/buffer";
import { mayCall } from "@lendbuf/shared/permissions";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Button } from "../../ui/button.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";

/** Why a buffer is lent to nobody, and how that ends. */
export function Held({ name, held }: { name: string; held: Hold | null }) {
  const trpc = useTRPC();
  const client = useQueryClient();
  const { me } = useLive();
  const isInTouch = useIsInTouch();
  const lift = useMutation(trpc.buffers.lift.mutationOptions({ onSuccess: () => client.invalidateQueries() }));
  if (!held) return null;
  return (
    <div role="alert" className="mt-2 flex flex-wrap items-center gap-3 border-l-2 border-alarm pl-3">
      <p className="grow text-alarm">Held: {held.reason}. Nobody gets it until an operator lends it again.</p>
      {mayCall(me?.role ?? null, "buffers.lift") && (
        <Button disabled={!isInTouch || lift.isPending} onClick={() => lift.mutate({ name })}>
          Lend again
        </Button>
      )}
      {lift.error && <Problem>{lift.error.message}</Problem>}
    </div>
  );
}

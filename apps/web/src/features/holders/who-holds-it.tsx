"use client";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { HolderLine } from "./holder-line.tsx";
import { Seen } from "./seen.tsx";

/** The processes that have a delegation's memory, once somebody asks: it takes a look at every process of the host. */
export function WhoHoldsIt({ delegation }: { delegation: number }) {
  const trpc = useTRPC();
  const [isAsked, setAsked] = useState(false);
  const { data, error, isFetching, refetch } = useQuery({
    ...trpc.delegations.holders.queryOptions({ id: delegation }),
    enabled: isAsked,
  });
  return (
    <div className="mt-2">
      <Button look="plain" disabled={isFetching} onClick={() => (isAsked ? void refetch() : setAsked(true))}>
        {isFetching ? "Looking…" : isAsked ? "Look again" : "Who holds it?"}
      </Button>
      {error && <Problem>{error.message}</Problem>}
      {data && (
        <div className="mt-2 border-l-2">
          <ul aria-label={`Holders of delegation ${delegation}`} className="px-4">
            {data.holders.map((holder) => (
              <li key={holder.pid}>
                <HolderLine holder={holder} />
              </li>
            ))}
            {data.total > data.holders.length && (
              <li className="text-muted">and {data.total - data.holders.length} more</li>
            )}
          </ul>
          {!data.exported && <p className="px-4">It has no export any more: there is nothing to hold.</p>}
          <Seen seen={data} />
          <p className="px-4 py-1 text-muted">
            For you to look at, never a proof: a descriptor on its way through a socket is not seen. Revoking is what
            makes sure.
          </p>
        </div>
      )}
    </div>
  );
}

"use client";
import type { DelegationsState, OccupancyState } from "@lendbuf/shared/api";
import type { Identity } from "@lendbuf/shared/session";
import type { Status } from "@lendbuf/shared/status";
import { useQuery } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import { createContext, type ReactNode, useContext, useEffect, useMemo } from "react";
import { useSessionControl } from "../session/session.ts";
import { useTRPC } from "./trpc.ts";

/** What the agent last said of itself; undefined until it has. */
export interface Live {
  status: Status | undefined;
  occupancy: OccupancyState | undefined;
  delegations: DelegationsState | undefined;
  me: Identity | undefined;
}

const LiveContext = createContext<Live>({
  status: undefined,
  occupancy: undefined,
  delegations: undefined,
  me: undefined,
});

export function useLive(): Live {
  return useContext(LiveContext);
}

const RETRY_MS = 2000;
const MAX_WATCHED = 500;

/** One subscription each for the whole page, whatever it shows. */
export function LiveProvider({ children }: { children: ReactNode }) {
  const trpc = useTRPC();
  const onError = useSignOutIfRefused();
  const status = useSubscription(trpc.status.watch.subscriptionOptions(undefined, { onError }));
  const occupancy = useSubscription(trpc.buffers.watch.subscriptionOptions(undefined, { onError }));
  const delegations = useSubscription(trpc.delegations.watch.subscriptionOptions({ limit: MAX_WATCHED }, { onError }));
  const me = useQuery(trpc.sessions.me.queryOptions());
  useRetry(status);
  useRetry(occupancy);
  useRetry(delegations);
  const live = useMemo(
    () => ({ status: status.data, occupancy: occupancy.data, delegations: delegations.data, me: me.data }),
    [status.data, occupancy.data, delegations.data, me.data],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

interface Refusal {
  message: string;
  data?: { code?: string } | null | undefined;
}

/** What to do with a subscription's error: a session that the agent does not know any more is over. */
function useSignOutIfRefused(): (error: Refusal) => void {
  const { signOut } = useSessionControl();
  return ({ data, message }) => {
    if (data?.code === "UNAUTHORIZED") signOut(message);
  };
}

/** One that ended with an error is asked for again. */
export function useRetry({ status, reset }: { status: string; reset(): void }): void {
  useEffect(() => {
    if (status !== "error") return;
    const timer = setTimeout(reset, RETRY_MS);
    return () => clearTimeout(timer);
  }, [status, reset]);
}

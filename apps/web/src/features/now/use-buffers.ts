"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect, useMemo } from "react";
import { useLive } from "../connection/live.tsx";
import { useTRPC, useTRPCClient } from "../connection/trpc.ts";

const PAGE = 500;

/** What can be lent, page by page until all of it is here; read again when its number changes. */
export function useBuffers() {
  const trpc = useTRPC();
  const { status } = useLive();
  const client = useTRPCClient();
  const query = useInfiniteQuery({
    queryKey: trpc.buffers.list.queryKey({ limit: PAGE }),
    // tRPC's own options add a field that the agent's strict schema refuses.
    queryFn: ({ pageParam, signal }) =>
      client.buffers.list.query({ limit: PAGE, ...(pageParam && { cursor: pageParam }) }, { signal }),
    initialPageParam: "",
    getNextPageParam: ({ next }) => next ?? undefined,
  });
  const { hasNextPage, isFetching, fetchNextPage, refetch } = query;
  useEffect(() => {
    if (hasNextPage && !isFetching) void fetchNextPage();
  }, [hasNextPage, isFetching, fetchNextPage]);

  const known = query.data?.pages[0]?.total;
  const told = status?.counts.buffers;
  useEffect(() => {
    if (known !== undefined && told !== undefined && known !== told) void refetch();
  }, [known, told, refetch]);

  const buffers = useMemo<BufferView[]>(() => query.data?.pages.flatMap(({ items }) => items) ?? [], [query.data]);
  return { buffers, isComplete: query.isSuccess && !hasNextPage, error: query.error };
}

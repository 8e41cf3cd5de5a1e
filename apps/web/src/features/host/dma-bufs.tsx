"use client";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Search } from "lucide-react";
import { TextInput } from "../../ui/field.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useSearchParam, useTypedSearchParam } from "../../ui/use-search-param.ts";
import { useTRPC } from "../connection/trpc.ts";
import { Seen } from "../holders/seen.tsx";
import { SEARCH_FIELD } from "../keyboard/shortcuts.ts";
import { DmaBufTable } from "./dma-buf-table.tsx";

const MAX_SHOWN = 500;
const AGAIN_MS = 5000;

/** Every dma-buf of the host, looked at again every few seconds. */
export function DmaBufs() {
  const trpc = useTRPC();
  const [typed, setTyped] = useTypedSearchParam("q");
  const [settled] = useSearchParam("q");
  const search = settled.trim();
  const look = useQuery({
    ...trpc.host.dmabufs.queryOptions({ limit: MAX_SHOWN, ...(search && { search }) }),
    placeholderData: keepPreviousData,
    refetchInterval: AGAIN_MS,
  });
  const { data, error } = look;
  return (
    <section aria-labelledby="dma-bufs">
      <div className="px-4 pt-4">
        <h2 id="dma-bufs" className="text-base font-medium">
          DMA-BUFs {data && <span className="font-normal text-muted">{data.total}</span>}
        </h2>
        <p className="max-w-prose text-muted">
          All of this host, whoever made them, and who holds them: for people to look at, never a proof that nobody
          does.
        </p>
      </div>
      <search className="block border-b px-4 py-2">
        <div className="relative w-full wide:w-72">
          <Search size={14} aria-hidden className="absolute top-1/2 left-2 -translate-y-1/2 text-muted" />
          <TextInput
            id={SEARCH_FIELD}
            type="search"
            aria-label="Search names, exporters, commands, pids, devices"
            aria-keyshortcuts="/"
            placeholder="Search names, commands, devices"
            maxLength={100}
            className="w-full pl-7"
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        </div>
      </search>
      {error && (
        <div className="px-4 py-4">
          <Problem>{error.message}</Problem>
        </div>
      )}
      {!error && !data && <p className="px-4 py-8 text-muted">Looking at all processes…</p>}
      {data && !error && (
        <>
          <Seen seen={data} />
          {data.items.length > 0 && <DmaBufTable dmaBufs={data.items} />}
          {data.items.length === 0 && (
            <p role="status" className="px-4 py-8 text-muted">
              {search ? `No dma-buf matches "${search}".` : "No dma-buf that can be seen."}
            </p>
          )}
          {data.items.length < data.total && data.items.length > 0 && (
            <p className="px-4 py-2 text-muted">
              {data.total - data.items.length} more: search, or <span className="code">npx lendbuf dmabufs</span> lists
              them all.
            </p>
          )}
        </>
      )}
    </section>
  );
}

"use client";
import { useDeferredValue, useMemo } from "react";
import { useSearchParam, useTypedSearchParam } from "../../ui/use-search-param.ts";
import { useLive } from "../connection/live.tsx";
import { BufferTable } from "./buffer-table.tsx";
import { Filters } from "./filters.tsx";
import { FirstRun } from "./first-run.tsx";
import { HostFacts } from "./host-facts.tsx";
import { bufferRows, countRows, FILTERS, type Filter, grouped, matchesFilter, matchesSearch } from "./rows.ts";
import { useBuffers } from "./use-buffers.ts";

/** Who has what, what ends next, is anything wrong? */
export function NowPage() {
  const { status, occupancy, delegations } = useLive();
  const { buffers, isComplete, error } = useBuffers();
  const [search, setSearch] = useTypedSearchParam("q");
  const [stateParam, setState] = useSearchParam("state");
  const filter = FILTERS.find((known) => known === stateParam) ?? "all";
  const wanted = useDeferredValue(search.trim().toLowerCase());

  const all = useMemo(() => bufferRows(buffers, occupancy, delegations), [buffers, occupancy, delegations]);
  const counts = useMemo(() => countRows(all), [all]);
  const rows = useMemo(
    () =>
      grouped(
        all.filter((row) => matchesFilter(row, filter) && matchesSearch(row, wanted)),
        status?.devices ?? [],
      ),
    [all, filter, wanted, status?.devices],
  );
  const isUnused = delegations?.total === 0 && delegations.recent.length === 0;
  const isCut = occupancy !== undefined && occupancy.items.length < occupancy.total;

  return (
    <>
      <h1 className="sr-only">Now</h1>
      <HostFacts rows={all} />
      {isUnused && isComplete && <FirstRun />}
      <Filters
        search={search}
        onSearch={setSearch}
        filter={filter}
        onFilter={(next: Filter) => setState(next === "all" ? "" : next)}
        counts={counts}
      />
      {isCut && (
        <p className="px-4 py-2 text-revoking">
          {occupancy.total} buffers are in use; this page is told of the first {occupancy.items.length}.
        </p>
      )}
      <BufferTable
        rows={rows}
        empty={
          error
            ? error.message
            : !isComplete
              ? "Reading what can be lent…"
              : buffers.length === 0
                ? "This agent has no buffers. `lendbuf define` makes a range of a device lendable."
                : `No buffer matches${search ? ` "${search}"` : ""}${filter === "all" ? "" : ` among those that are ${filter}`}.`
        }
      />
    </>
  );
}

"use client";
import { Search } from "lucide-react";
import { classNames } from "../../ui/class-names.ts";
import { TextInput } from "../../ui/field.tsx";
import { StateShape, type StateWord } from "../delegation/state-mark.tsx";
import { SEARCH_FIELD } from "../keyboard/shortcuts.ts";
import { FILTERS, type Filter } from "./rows.ts";

const LABELS: Record<Filter, { label: string; shape?: StateWord }> = {
  all: { label: "All" },
  free: { label: "Free", shape: "free" },
  offered: { label: "Offered", shape: "offered" },
  lent: { label: "Lent", shape: "lent" },
  revoking: { label: "Revoking", shape: "revoking" },
  waiting: { label: "With a queue", shape: "waiting" },
  trouble: { label: "In trouble", shape: "lost" },
};

interface FiltersProps {
  search: string;
  onSearch(search: string): void;
  filter: Filter;
  onFilter(filter: Filter): void;
  counts: Record<Filter, number>;
}

/** What to show, and how many there are of each. */
export function Filters({ search, onSearch, filter, onFilter, counts }: FiltersProps) {
  return (
    <search className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-2">
      <div className="relative w-full wide:w-72">
        <Search size={14} aria-hidden className="absolute top-1/2 left-2 -translate-y-1/2 text-muted" />
        <TextInput
          id={SEARCH_FIELD}
          type="search"
          aria-label="Search buffers, accounts, commands, ids"
          aria-keyshortcuts="/"
          placeholder="Search buffers, accounts, commands"
          className="w-full pr-7 pl-7"
          value={search}
          onChange={(event) => onSearch(event.target.value)}
          onKeyDown={(event) => {
            if (event.key !== "Escape") return;
            if (search) onSearch("");
            else event.currentTarget.blur();
          }}
        />
        {!search && (
          <kbd aria-hidden className="code absolute top-1/2 right-2 -translate-y-1/2 rounded-sm border px-1 text-muted">
            /
          </kbd>
        )}
      </div>
      <div role="group" aria-label="Filter by state" className="-mx-1 flex min-w-0 flex-wrap gap-0.5">
        {FILTERS.map((it) => {
          const { label, shape } = LABELS[it];
          return (
            <button
              key={it}
              type="button"
              aria-pressed={filter === it}
              onClick={() => onFilter(filter === it ? "all" : it)}
              className={classNames(
                "inline-flex h-7 items-center gap-1.5 rounded-sm px-2 whitespace-nowrap",
                filter === it ? "bg-accent-soft text-accent" : "text-muted hover:bg-hover hover:text-ink",
              )}
            >
              {shape && <StateShape state={shape} />}
              {label} <span className={filter === it || counts[it] > 0 ? "text-ink" : undefined}>{counts[it]}</span>
            </button>
          );
        })}
      </div>
    </search>
  );
}

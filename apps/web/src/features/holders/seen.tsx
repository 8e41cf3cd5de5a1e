"use client";
import type { Visibility } from "@lendbuf/shared/holder";
import { Moment } from "../../ui/moment.tsx";

/** How much of the host a look could see, and what it could not. */
export function Seen({ seen: { at, processes, hidden, notes } }: { seen: Visibility }) {
  return (
    <div className="border-b px-4 py-2 text-muted">
      <p>
        {processes - hidden} of {processes} processes looked at, <Moment at={at} />
      </p>
      {notes.length > 0 && (
        <ul className="mt-1 max-w-prose list-disc pl-4">
          {notes.map((note) => (
            <li key={note} className="text-revoking">
              {note}
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

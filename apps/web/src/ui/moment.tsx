"use client";
import { formatDuration } from "@lendbuf/shared/duration";
import { useNow } from "./now.tsx";

const ABSOLUTE = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "medium" });

export function formatMoment(at: number): string {
  return ABSOLUTE.format(at);
}

/** "12s ago", "in 2h 5m"; the date on hover. */
export function Moment({ at }: { at: number }) {
  const away = at - useNow();
  const distance = formatDuration(Math.floor(Math.abs(away) / 1000) * 1000);
  const text = Math.abs(away) < 1000 ? "now" : away > 0 ? `in ${distance}` : `${distance} ago`;
  return (
    <time dateTime={new Date(at).toISOString()} title={formatMoment(at)} className="whitespace-nowrap">
      {text}
    </time>
  );
}

"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { formatMoment } from "../../ui/moment.tsx";
import { useNow } from "../../ui/now.tsx";
import { reasonWords } from "./end-words.ts";

type Timed = Pick<Delegation, "state" | "expiresAt" | "leaseMs" | "offerEndsAt" | "offeredAt" | "ending">;

/** What is left of a lease or of an offer: as text, and as a bar that runs down. */
export function TimeLeft({ delegation }: { delegation: Timed }) {
  const now = useNow();
  const span = spanOf(delegation);
  if (!span) return null;
  // The clock here may be up to a second behind.
  const left = Math.max(0, Math.min(span.until - now, span.whole || Number.POSITIVE_INFINITY));
  const share = span.whole > 0 ? Math.min(1, left / span.whole) : 0;
  const soon = left < 60_000 || share < 0.1;
  return (
    <span className="grid gap-1" title={`until ${formatMoment(span.until)}`}>
      <span className="truncate">
        <span className={soon ? "font-medium" : undefined}>{formatDuration(Math.ceil(left / 1000) * 1000)}</span>
        <span className="text-muted"> {span.words}</span>
      </span>
      <span aria-hidden className="block h-[3px] w-full bg-line">
        <span
          className={`block h-full ${soon ? "bg-revoking" : span.colour}`}
          style={{ width: `${(share * 100).toFixed(2)}%` }}
        />
      </span>
    </span>
  );
}

function spanOf({ state, expiresAt, leaseMs, offerEndsAt, offeredAt, ending }: Timed) {
  if (ending)
    return { until: ending.at, whole: 0, words: `until ${reasonWords(ending.reason)}`, colour: "bg-revoking" };
  if (state === "active" && expiresAt !== null)
    return { until: expiresAt, whole: leaseMs, words: "left", colour: "bg-lent" };
  if (state === "offered" && offerEndsAt !== null)
    return {
      until: offerEndsAt,
      whole: offerEndsAt - (offeredAt ?? offerEndsAt),
      words: "to claim it",
      colour: "bg-offered",
    };
  return undefined;
}

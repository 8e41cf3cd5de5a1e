"use client";
import { TriangleAlert } from "lucide-react";
import Link from "next/link";
import { Moment } from "../../ui/moment.tsx";
import { useNow } from "../../ui/now.tsx";
import { useLive } from "../connection/live.tsx";
import { waitWords } from "../delegation/end-words.ts";
import { isStuck } from "../delegation/state-of.ts";

const MAX_SHOWN = 5;

/** What is wrong right now: on every page, gone when it is over. */
export function Alarms() {
  const { status, delegations } = useLive();
  const now = useNow();
  const stuck = delegations?.items.filter((it) => isStuck(it, now)) ?? [];
  const warnings = status?.warnings ?? [];
  if (stuck.length === 0 && warnings.length === 0) return null;
  return (
    <ul
      aria-label="What is wrong"
      className="grid gap-1 border-b border-l-2 border-l-alarm bg-alarm-soft px-4 py-2 text-alarm"
    >
      {stuck.slice(0, MAX_SHOWN).map(({ id, buffer, account, revocation }) => (
        <Line key={id}>
          <Link prefetch={false} href={`/buffers?id=${buffer}`} className="code underline underline-offset-2">
            {buffer}
          </Link>
          : delegation {id} of {account} is being taken back since <Moment at={revocation!.since} />;{" "}
          {waitWords(revocation!)}. Its memory may still be in use.
        </Line>
      ))}
      {stuck.length > MAX_SHOWN && <Line>{stuck.length - MAX_SHOWN} more are being taken back.</Line>}
      {warnings.map((warning) => (
        <Line key={warning}>{warning}</Line>
      ))}
    </ul>
  );
}

function Line({ children }: { children: React.ReactNode }) {
  return (
    <li className="flex gap-2">
      <TriangleAlert size={14} aria-hidden className="mt-0.5 shrink-0" />
      <span className="min-w-0 break-words">{children}</span>
    </li>
  );
}

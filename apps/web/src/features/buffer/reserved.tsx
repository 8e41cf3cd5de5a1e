"use client";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Reservation } from "@lendbuf/shared/reservation";
import { useSubscription } from "@trpc/tanstack-react-query";
import { Moment } from "../../ui/moment.tsx";
import { useRetry } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { Account } from "../delegation/account.tsx";

/** What is reserved ahead, the next first. */
export function Reserved({ buffer }: { buffer: string }) {
  const trpc = useTRPC();
  const watched = useSubscription(trpc.reservations.watch.subscriptionOptions({ buffer }));
  useRetry(watched);
  const { items, total } = watched.data ?? { items: [], total: 0 };
  if (total === 0) return null;
  return (
    <section aria-labelledby="reserved" className="border-b px-4 py-4">
      <h2 id="reserved" className="mb-2 text-base font-medium">
        Reserved: {total}
      </h2>
      <ul>
        {items.map((reservation) => (
          <Line key={reservation.id} reservation={reservation} />
        ))}
      </ul>
    </section>
  );
}

function Line({ reservation: { id, account, from, to, access, purpose } }: { reservation: Reservation }) {
  return (
    <li className="flex flex-wrap items-center gap-x-6 gap-y-1 border-t py-1.5">
      <Moment at={from} />
      <span>for {formatDuration(to - from)}</span>
      {account === null ? <span className="text-muted">somebody else</span> : <Account account={account} />}
      <span className="text-muted">
        {access}
        {purpose && `; ${purpose}`}
      </span>
      <span className="text-muted">reservation {id}</span>
    </li>
  );
}

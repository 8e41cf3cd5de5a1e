"use client";
import { type Delegation, isFinal } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { useInfiniteQuery } from "@tanstack/react-query";
import { useEffect } from "react";
import { Button } from "../../ui/button.tsx";
import { formatMoment, Moment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useTRPC, useTRPCClient } from "../connection/trpc.ts";
import { Account } from "../delegation/account.tsx";
import { endWords, reasonWords } from "../delegation/end-words.ts";
import { StateMark } from "../delegation/state-mark.tsx";
import { stateOf } from "../delegation/state-of.ts";

const PAGE = 50;

/** Who had it before, newest first, page by page. `ended`: the last that ended, at which the first page is read again. */
export function History({ buffer, ended }: { buffer: string; ended: number | undefined }) {
  const trpc = useTRPC();
  const client = useTRPCClient();
  const history = useInfiniteQuery({
    queryKey: [...trpc.delegations.list.queryKey({ buffer, all: true }), "history"],
    queryFn: ({ pageParam, signal }) =>
      client.delegations.list.query(
        {
          buffer,
          all: true,
          states: ["revoked", "cancelled"],
          limit: PAGE,
          ...(pageParam > 0 && { cursor: pageParam }),
        },
        { signal },
      ),
    initialPageParam: 0,
    getNextPageParam: ({ next }) => next ?? undefined,
  });
  const { refetch } = history;
  // biome-ignore lint/correctness/useExhaustiveDependencies: another end is the reason to read again
  useEffect(() => void refetch(), [ended, refetch]);
  const past = history.data?.pages.flatMap(({ items }) => items).filter(({ state }) => isFinal(state)) ?? [];
  const total = history.data?.pages[0]?.total ?? 0;

  return (
    <section aria-labelledby="history" className="px-4 py-4">
      <h2 id="history" className="mb-2 text-base font-medium">
        Before {total > 0 && <span className="font-normal text-muted">{total}</span>}
      </h2>
      {history.error && <Problem>{history.error.message}</Problem>}
      {history.isSuccess && past.length === 0 && <p className="text-muted">Nobody has had it before.</p>}
      {past.length > 0 && (
        <div className="overflow-x-auto">
          <table className="w-full text-left">
            <thead className="eyebrow hidden wide:table-header-group">
              <tr className="[&>th]:pr-6 [&>th]:pb-1 [&>th]:font-normal">
                <th>Delegation</th>
                <th>State</th>
                <th>Who</th>
                <th>Why it ended</th>
                <th>How the kernel confirmed it</th>
                <th>Had it for</th>
                <th>Ended</th>
              </tr>
            </thead>
            <tbody>
              {past.map((delegation) => (
                <Past key={delegation.id} delegation={delegation} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {history.hasNextPage && (
        <Button className="mt-3" disabled={history.isFetchingNextPage} onClick={() => void history.fetchNextPage()}>
          Older
        </Button>
      )}
    </section>
  );
}

function Past({ delegation }: { delegation: Delegation }) {
  const { id, account, reason, proof, claimedAt, endedAt, client, purpose } = delegation;
  return (
    <tr className="grid grid-cols-[auto_1fr] gap-x-4 border-t py-1.5 wide:table-row wide:[&>td]:py-1.5 wide:[&>td]:pr-6 wide:[&>td]:align-top">
      <td className="code">{id}</td>
      <td>
        <StateMark state={stateOf(delegation)} />
      </td>
      <td className="col-span-2">
        <Account account={account} />
        {(purpose ?? client?.command) && <span className="block text-muted">{purpose ?? client?.command}</span>}
      </td>
      <td className="col-span-2">{reason && reasonWords(reason)}</td>
      <td className="col-span-2 text-muted">
        {proof ? endWords(delegation).replace(/^revoked, /, "") : "nothing was exported"}
      </td>
      <td title={claimedAt === null ? undefined : `from ${formatMoment(claimedAt)}`}>
        {claimedAt !== null && endedAt !== null ? (
          formatDuration(endedAt - claimedAt)
        ) : (
          <span className="text-muted">–</span>
        )}
      </td>
      <td>{endedAt !== null && <Moment at={endedAt} />}</td>
    </tr>
  );
}

"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { Moment } from "../../ui/moment.tsx";
import { Account } from "../delegation/account.tsx";
import { RowActions } from "../delegation/row-actions.tsx";

/** Who waits, in order. */
export function Queue({ waiting }: { waiting: readonly Delegation[] }) {
  if (waiting.length === 0) return null;
  const inOrder = [...waiting].sort((a, b) => (a.position ?? 0) - (b.position ?? 0));
  return (
    <section aria-labelledby="queue" className="border-b px-4 py-4">
      <h2 id="queue" className="mb-2 text-base font-medium">
        In line: {waiting.length}
      </h2>
      <ol>
        {inOrder.map((delegation) => (
          <Waiting key={delegation.id} delegation={delegation} />
        ))}
      </ol>
    </section>
  );
}

function Waiting({ delegation }: { delegation: Delegation }) {
  const { id, position, expectedAt, account, access, leaseMs, purpose, requestedAt } = delegation;
  return (
    <li data-row className="flex flex-wrap items-center gap-x-6 gap-y-1 border-t py-1.5">
      <span className="w-6 text-right text-lg font-medium">{position}</span>
      <Account account={account} />
      <span>
        {expectedAt === null ? (
          "nobody can tell when"
        ) : (
          <>
            <Moment at={expectedAt} /> at the latest
          </>
        )}
      </span>
      <span className="text-muted">
        {access}, {formatDuration(leaseMs)}
        {purpose && `; ${purpose}`}
      </span>
      <span className="text-muted">
        {id}, asked for <Moment at={requestedAt} />
      </span>
      <div className="ml-auto">
        <RowActions delegation={delegation} />
      </div>
    </li>
  );
}

"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import { CopyButton } from "../../ui/copy.tsx";
import { Moment } from "../../ui/moment.tsx";
import { useActions } from "../actions/actions.tsx";
import { Account } from "../delegation/account.tsx";
import { RowActions } from "../delegation/row-actions.tsx";
import { StateMark } from "../delegation/state-mark.tsx";
import { stateOf } from "../delegation/state-of.ts";
import { Steps } from "../delegation/steps.tsx";
import { TimeLeft } from "../delegation/time-left.tsx";
import { WhoHoldsIt } from "../holders/who-holds-it.tsx";

interface CurrentProps {
  holders: readonly Delegation[];
  lastEnd: Delegation | undefined;
  isKnown: boolean;
}

/** Who has it now; else how it last ended. */
export function Current({ holders, lastEnd, isKnown }: CurrentProps) {
  return (
    <section aria-labelledby="current" className="border-b px-4 py-4">
      <h2 id="current" className="mb-2 text-base font-medium">
        {holders.length > 1 ? `Now: ${holders.length} share it` : "Now"}
      </h2>
      {!isKnown && <p className="text-muted">Asking the agent…</p>}
      {isKnown && holders.length === 0 && <StateMark state="free" />}
      <ul className="grid gap-3">
        {holders.map((delegation) => (
          <Holder key={delegation.id} delegation={delegation} />
        ))}
      </ul>
      {lastEnd && (
        <div className="mt-2">
          <Steps delegation={lastEnd} />
        </div>
      )}
    </section>
  );
}

function Holder({ delegation }: { delegation: Delegation }) {
  const { askedOf } = useActions();
  const { id, account, requestedBy, access, share, client, purpose, state, leaseMs, claimedAt, requestedAt, keep } =
    delegation;
  const asked = askedOf(id);
  return (
    <li data-row className="grid gap-x-8 gap-y-2 wide:grid-cols-[7rem_12rem_1fr_auto] wide:items-start">
      <StateMark state={stateOf(delegation)} />
      <div>
        <TimeLeft delegation={delegation} />
      </div>
      <div className="min-w-0">
        <span className="inline-flex items-center gap-1">
          Delegation <span className="code font-medium">{id}</span>
          <CopyButton text={String(id)} what="the delegation's id" />
        </span>{" "}
        of <Account account={account} />
        {requestedBy !== account && <span className="text-muted">, delegated by {requestedBy}</span>}
        <span className="block text-muted">
          {[access, share, keep && "kept when its program disconnects", `lease ${formatDuration(leaseMs)}`]
            .filter(Boolean)
            .join(", ")}
          {purpose && `; ${purpose}`}
        </span>
        <span className="block text-muted">
          {client && (
            <>
              {client.command ?? "a program"}, pid <span className="code">{client.pid}</span>, uid{" "}
              <span className="code">{client.uid}</span>;{" "}
            </>
          )}
          {claimedAt === null ? "asked for " : "claimed "}
          <Moment at={claimedAt ?? requestedAt} />
        </span>
        {state === "offered" && (
          <span className="flex items-center gap-1">
            <span className="code">npx lendbuf claim {id}</span>
            <CopyButton text={`npx lendbuf claim ${id}`} what="the line that claims it" />
          </span>
        )}
        {state === "revoking" && <Steps delegation={delegation} />}
        {(state === "active" || state === "revoking") && <WhoHoldsIt delegation={id} />}
        {asked?.state === "refused" && <p className="text-alarm">{asked.problem}</p>}
      </div>
      <RowActions delegation={delegation} />
    </li>
  );
}

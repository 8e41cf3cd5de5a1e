"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import Link from "next/link";
import { memo } from "react";
import { CopyButton } from "../../ui/copy.tsx";
import { useNow } from "../../ui/now.tsx";
import { Size } from "../../ui/size.tsx";
import { useActions } from "../actions/actions.tsx";
import { Account } from "../delegation/account.tsx";
import { endWords } from "../delegation/end-words.ts";
import { RowActions } from "../delegation/row-actions.tsx";
import { StateMark } from "../delegation/state-mark.tsx";
import { isStuck, stateOf } from "../delegation/state-of.ts";
import { Steps } from "../delegation/steps.tsx";
import { TimeLeft } from "../delegation/time-left.tsx";
import type { BufferRow, HolderRow } from "./rows.ts";

export const COLUMNS = "wide:grid-cols-[7rem_minmax(13rem,1.1fr)_minmax(15rem,1.6fr)_7.5rem_minmax(8rem,11rem)_15rem]";
const ROW = `group grid grid-cols-[1fr_auto] gap-x-4 gap-y-1 border-b px-4 py-2 hover:bg-hover has-[a:focus-visible]:bg-hover wide:min-h-13 wide:items-center ${COLUMNS}`;
const LINK = "code -mx-1 px-1 font-medium hover:underline";

/** As long after its end one who has gone is shown in the place of who has come. */
const FRESH_MS = 30_000;

/** A buffer: its state, who has it, for how long, and what can be done. */
export const BufferRowView = memo(function BufferRowView({ row }: { row: BufferRow }) {
  const { buffer, state, holders, waiting } = row;
  const isShared = holders.length > 1;
  const delegation = isShared ? undefined : holders[0];
  const hasMiddle =
    holders.length + row.hidden + waiting > 0 || row.account !== null || row.lastEnd !== undefined || row.held !== null;
  return (
    <div data-row className={ROW}>
      <div role="cell" className="order-2 justify-self-end wide:order-none wide:justify-self-start">
        <StateMark state={state} />
        {waiting > 0 && <div className="text-muted wide:pl-4.5">{waiting} in line</div>}
      </div>
      <div
        role="cell"
        aria-colspan={hasMiddle ? 1 : 4}
        className={`order-1 min-w-0 wide:order-none ${hasMiddle ? "" : "wide:col-span-4"}`}
      >
        <Link prefetch={false} href={`/buffers?id=${buffer.name}`} data-row-link className={LINK}>
          {buffer.name}
        </Link>
        <div className="truncate text-muted" title={buffer.description}>
          <Size bytes={buffer.size} />
          {buffer.tags.map((tag) => ` · #${tag}`)}
          {buffer.description && ` · ${buffer.description}`}
        </div>
      </div>
      {hasMiddle && <Middle row={row} delegation={delegation} />}
      <div role="cell" className="order-6 col-span-2 wide:order-none wide:col-span-1">
        <RowActions buffer={buffer} delegation={delegation} />
      </div>
    </div>
  );
});

/** Who has it, how, and for how long; or how it last ended. */
function Middle({ row, delegation }: { row: BufferRow; delegation: Delegation | undefined }) {
  const { holders, account, lastEnd, hidden, waiting } = row;
  if (holders.length > 1)
    return (
      <Wide>
        {holders.length + hidden} share it, each with a row below
        {lastEnd && <Steps delegation={lastEnd} />}
      </Wide>
    );
  if (!delegation && row.held)
    return (
      <Wide>
        <span className="text-alarm">{row.held}</span>
      </Wide>
    );
  if (!delegation && (account || hidden > 0))
    return <Wide>{account ? <Account account={account} /> : <span className="text-muted">somebody else</span>}</Wide>;
  if (!delegation) return <Wide>{lastEnd ? <Steps delegation={lastEnd} /> : waiting > 0 && "nobody yet"}</Wide>;
  return <Holder delegation={delegation} lastEnd={lastEnd} />;
}

function Wide({ children }: { children: React.ReactNode }) {
  return (
    <div
      role="cell"
      aria-colspan={3}
      className="order-3 col-span-2 min-w-0 empty:hidden wide:order-none wide:col-span-3 wide:empty:block"
    >
      {children}
    </div>
  );
}

function Holder({ delegation, lastEnd }: { delegation: Delegation; lastEnd: Delegation | undefined }) {
  const now = useNow();
  const { askedOf } = useActions();
  const asked = askedOf(delegation.id);
  if (delegation.state === "revoking" || asked?.state === "refused") {
    const stuck = isStuck(delegation, now);
    return (
      <Wide>
        <Account account={delegation.account} />
        <div className={stuck ? "text-alarm" : undefined}>
          {asked?.state === "refused" ? (
            <span className="text-alarm">{asked.problem}</span>
          ) : (
            <Steps delegation={delegation} />
          )}
        </div>
      </Wide>
    );
  }
  const isFresh = lastEnd?.endedAt != null && now - lastEnd.endedAt < FRESH_MS;
  return (
    <>
      <div role="cell" className="order-3 min-w-0 wide:order-none">
        <div className="truncate">
          <Account account={delegation.account} />
        </div>
        <div className="truncate text-muted">
          {isFresh ? `${lastEnd.id} ${endWords(lastEnd)}` : <Details delegation={delegation} />}
        </div>
      </div>
      <div role="cell" className="order-5 hidden min-w-0 wide:order-none wide:block">
        {delegation.access}
        <div className="text-muted">{delegation.share}</div>
      </div>
      <div role="cell" className="order-4 min-w-28 wide:order-none">
        <TimeLeft delegation={delegation} />
      </div>
    </>
  );
}

/** The process that has it and what for; of an offer, how it is claimed. */
function Details({ delegation: { id, state, client, purpose, keep } }: { delegation: Delegation }) {
  if (state === "offered") {
    const command = `lendbuf claim ${id}`;
    return (
      <span className="inline-flex max-w-full items-center gap-1">
        <span className="code truncate">{command}</span>
        <CopyButton text={command} what={command} />
      </span>
    );
  }
  const who = client ? `${client.command ?? "pid"} ${client.pid}` : keep ? "kept, nobody has it now" : "";
  return <>{[`${id}`, who, purpose].filter(Boolean).join(" · ")}</>;
}

/** One of several who share a buffer. */
export const HolderRowView = memo(function HolderRowView({ row: { delegation } }: { row: HolderRow }) {
  return (
    <div data-row className={ROW}>
      <div role="cell" className="order-2 justify-self-end wide:order-none wide:justify-self-start wide:pl-4.5">
        <StateMark state={stateOf(delegation)} />
      </div>
      <div role="cell" className="order-1 min-w-0 pl-4 wide:order-none">
        <Link prefetch={false} href={`/buffers?id=${delegation.buffer}`} data-row-link className={LINK}>
          {delegation.id}
        </Link>
        <span className="text-muted"> of {delegation.buffer}</span>
      </div>
      <Holder delegation={delegation} lastEnd={undefined} />
      <div role="cell" className="order-6 col-span-2 wide:order-none wide:col-span-1">
        <RowActions delegation={delegation} />
      </div>
    </div>
  );
});

"use client";
import type { RevokeSummary } from "@lendbuf/shared/api";
import { mayCall } from "@lendbuf/shared/permissions";
import type { Status } from "@lendbuf/shared/status";
import { useMutation } from "@tanstack/react-query";
import { OctagonX } from "lucide-react";
import { useEffect, useId, useRef, useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { count, summaryWords } from "./summary-words.ts";
import { UnfinishedList } from "./unfinished-list.tsx";

const HOLD_MS = 1500;

/** Ends everything that is lent; held down, so that it is not pressed by mistake. */
export function RevokeEverything() {
  const trpc = useTRPC();
  const { status, me } = useLive();
  const isInTouch = useIsInTouch();
  const announce = useAnnounce();
  const [isShown, setShown] = useState(false);
  const [wasShort, setShort] = useState(false);
  const words = useId();
  const revoke = useMutation(
    trpc.delegations.revokeAll.mutationOptions({ onSuccess: (summary) => announce(summaryWords(summary)) }),
  );
  const { isHeld, start, stop } = useHold(() => {
    setShort(false);
    revoke.mutate({});
  });
  const isAllowed = mayCall(me?.role ?? null, "delegations.revokeAll");
  const isReady = isInTouch && isAllowed && !revoke.isPending;

  function press() {
    setShown(true);
    setShort(false);
    if (!isReady) return;
    revoke.reset();
    start();
  }
  function letGo() {
    if (stop()) setShort(true);
  }
  function leave() {
    letGo();
    setShown(false);
    setShort(false);
    if (!revoke.isPending) revoke.reset();
  }

  return (
    <div className="relative ml-2">
      <button
        type="button"
        aria-describedby={words}
        aria-disabled={!isReady}
        className="relative flex h-7 items-center gap-1.5 overflow-hidden rounded-md border border-alarm/60 px-2.5 font-medium whitespace-nowrap text-alarm select-none touch-none hover:bg-alarm-soft aria-disabled:opacity-45"
        onPointerEnter={() => setShown(true)}
        onPointerDown={({ button }) => button === 0 && press()}
        onPointerUp={letGo}
        onPointerLeave={leave}
        onPointerCancel={leave}
        onContextMenu={(event) => event.preventDefault()}
        onFocus={() => setShown(true)}
        onBlur={leave}
        onKeyDown={(event) => {
          if (event.key === "Escape") leave();
          if (event.key !== " " && event.key !== "Enter") return;
          event.preventDefault();
          if (!event.repeat) press();
        }}
        onKeyUp={letGo}
      >
        <span
          aria-hidden
          className="absolute inset-0 origin-left bg-alarm/25 ease-linear"
          style={{
            transform: `scaleX(${isHeld ? 1 : 0})`,
            transition: `transform ${isHeld ? HOLD_MS : 120}ms linear`,
          }}
        />
        <OctagonX size={14} aria-hidden />
        <span className="relative hidden wide:inline">Revoke everything</span>
        <span className="sr-only wide:hidden">Revoke everything</span>
      </button>
      <div
        id={words}
        hidden={!isShown}
        className="absolute top-9 right-0 z-30 w-80 max-w-[calc(100vw-2rem)] rounded-md border bg-raised p-3"
      >
        {isShown && (
          <Words
            status={status}
            isAllowed={isAllowed}
            wasShort={wasShort}
            summary={revoke.data}
            problem={revoke.error?.message}
          />
        )}
      </div>
    </div>
  );
}

interface WordsProps {
  status: Status | undefined;
  isAllowed: boolean;
  wasShort: boolean;
  summary: RevokeSummary | undefined;
  problem: string | undefined;
}

function Words({ status, isAllowed, wasShort, summary, problem }: WordsProps) {
  if (problem) return <p className="text-alarm">{problem}</p>;
  if (summary)
    return (
      <>
        <p>{summaryWords(summary)}</p>
        <UnfinishedList summary={summary} />
      </>
    );
  if (!isAllowed) return <p>Only an operator may revoke everything. What is yours has a Revoke of its own.</p>;
  if (!status) return <p>Asking the agent…</p>;
  return (
    <>
      <p>{whatItEnds(status)}</p>
      <p className="mt-1 text-muted">
        {wasShort ? "Let go too early: nothing was ended. " : ""}Hold for a second and a half, with Space or Enter too.
      </p>
    </>
  );
}

function whatItEnds({ counts: { lent, offered, waiting }, devices }: Status): string {
  if (lent + offered + waiting === 0) return "Nothing is lent, offered or waited for: there is nothing to end.";
  const parts = [
    lent > 0 && count(lent, "delegation"),
    offered > 0 && count(offered, "offer"),
    waiting > 0 && `${count(waiting, "place")} in line`,
  ].filter(Boolean);
  return `Ends ${parts.join(", ")}: everybody's, on ${devices.map(({ name }) => name).join(", ")}.`;
}

/** Calls back once it was held for long enough. `stop` tells whether it was let go before. */
function useHold(done: () => void) {
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [isHeld, setHeld] = useState(false);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    isHeld,
    start() {
      setHeld(true);
      timer.current = setTimeout(() => {
        timer.current = undefined;
        setHeld(false);
        done();
      }, HOLD_MS);
    },
    stop(): boolean {
      const wasHeld = timer.current !== undefined;
      clearTimeout(timer.current);
      timer.current = undefined;
      setHeld(false);
      return wasHeld;
    },
  };
}

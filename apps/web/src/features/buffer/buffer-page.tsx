"use client";
import { useQuery } from "@tanstack/react-query";
import { useSubscription } from "@trpc/tanstack-react-query";
import Link from "next/link";
import { useEffect } from "react";
import { Problem } from "../../ui/problem.tsx";
import { useSearchParam } from "../../ui/use-search-param.ts";
import { useRetry } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { Viewer } from "../viewer/viewer.tsx";
import { BufferHead } from "./buffer-head.tsx";
import { Current } from "./current.tsx";
import { History } from "./history.tsx";
import { Queue } from "./queue.tsx";
import { Reserved } from "./reserved.tsx";

const MAX_WATCHED = 500;

/** Everything of one buffer. */
export function BufferPage() {
  const [name] = useSearchParam("id");
  useEffect(() => {
    document.title = name ? `${name} · Lendbuf` : "Buffer · Lendbuf";
  }, [name]);
  if (!name) return <NoSuchBuffer words="The address names no buffer." />;
  return <KnownBuffer key={name} name={name} />;
}

function KnownBuffer({ name }: { name: string }) {
  const trpc = useTRPC();
  const { data: buffer, error } = useQuery(trpc.buffers.get.queryOptions({ name }));
  const watched = useSubscription(trpc.delegations.watch.subscriptionOptions({ buffer: name, limit: MAX_WATCHED }));
  useRetry(watched);
  const { data: delegations } = watched;
  if (!buffer)
    return error ? <NoSuchBuffer words={error.message} /> : <p className="px-4 py-8 text-muted">Asking the agent…</p>;
  const live = delegations?.items ?? [];
  const lastEnd = delegations?.recent[0];
  return (
    <>
      <BufferHead buffer={buffer} />
      <Current
        holders={live.filter(({ state }) => state !== "waiting")}
        lastEnd={lastEnd}
        isKnown={delegations !== undefined}
      />
      <Queue waiting={live.filter(({ state }) => state === "waiting")} />
      <Reserved buffer={name} />
      <Viewer buffer={buffer} />
      <History buffer={name} ended={lastEnd?.id} />
    </>
  );
}

function NoSuchBuffer({ words }: { words: string }) {
  return (
    <div className="grid max-w-prose gap-3 px-4 py-8">
      <h1 className="text-lg font-medium">No such buffer</h1>
      <Problem>{words}</Problem>
      <Link prefetch={false} href="/" className="link justify-self-start">
        All buffers
      </Link>
    </div>
  );
}

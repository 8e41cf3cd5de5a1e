"use client";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { StateMark } from "../delegation/state-mark.tsx";
import { stateOf } from "../delegation/state-of.ts";

const WORDS = {
  disable: { title: "Disable", done: "is disabled", rest: "It lets in nobody until it is enabled again." },
  remove: { title: "Remove", done: "is removed", rest: "Its password goes too. What the audit says of it stays." },
} as const;

interface EndAccountDialogProps {
  account: string;
  how: keyof typeof WORDS;
  onClose(): void;
}

/** Shows all that ends with an account's ways in; afterwards, what the kernel has not confirmed yet. */
export function EndAccountDialog({ account, how, onClose }: EndAccountDialogProps) {
  const trpc = useTRPC();
  const isInTouch = useIsInTouch();
  const [isDone, setDone] = useState(false);
  const live = useQuery({ ...trpc.delegations.list.queryOptions({ account }), staleTime: 0 });
  const ways = useWaysIn(account);
  const { end, isPending, error } = useEnd(account, how, async () => {
    const { data } = await live.refetch();
    if (data && data.total === 0) onClose();
    else setDone(true);
  });
  const words = WORDS[how];
  return (
    <Dialog title={`${words.title} ${account}`} description={words.rest} onClose={onClose}>
      <div className="grid gap-4">
        <h3 className="font-medium">{isDone ? "The kernel has not confirmed these ends yet" : "It ends"}</h3>
        <ul aria-label="What it ends" className="max-h-60 overflow-y-auto">
          {live.data?.items.map((delegation) => (
            <li key={delegation.id} className="flex flex-wrap gap-x-3 border-t py-1.5">
              <span className="code grow">{delegation.buffer}</span>
              <StateMark state={stateOf(delegation)} />
              <span className="text-muted">{delegation.client?.command ?? "no client"}</span>
            </li>
          ))}
          {live.data && live.data.total > live.data.items.length && (
            <li className="border-t py-1.5">{live.data.total - live.data.items.length} more delegations</li>
          )}
          {!isDone && <li className="border-t py-1.5">{ways}</li>}
        </ul>
        {(error ?? live.error) && <Problem>{(error ?? live.error)!.message}</Problem>}
        <div className="flex justify-end gap-2">
          <Button look="quiet" onClick={onClose}>
            {isDone ? "Close" : "Leave it"}
          </Button>
          {!isDone && (
            <Button look="danger-primary" disabled={!isInTouch || isPending || !live.data} onClick={end}>
              {isPending ? "Asking the kernel…" : words.title}
            </Button>
          )}
        </div>
      </div>
    </Dialog>
  );
}

function useEnd(account: string, how: keyof typeof WORDS, after: () => Promise<void>) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const announce = useAnnounce();
  async function onSuccess() {
    announce(`Account ${account} ${WORDS[how].done}.`);
    await after();
    void queries.invalidateQueries();
  }
  const update = useMutation(trpc.accounts.update.mutationOptions({ onSuccess }));
  const remove = useMutation(trpc.accounts.remove.mutationOptions({ onSuccess }));
  if (how === "remove") return { ...remove, end: () => remove.mutate({ name: account }) };
  return { ...update, end: () => update.mutate({ name: account, disabled: true }) };
}

/** "2 sessions and 1 token" */
function useWaysIn(account: string): string {
  const trpc = useTRPC();
  const sessions = useQuery({ ...trpc.sessions.list.queryOptions(), staleTime: 0 });
  const tokens = useQuery({ ...trpc.tokens.list.queryOptions(), staleTime: 0 });
  const count = (all: readonly { account: string }[] | undefined, word: string) => {
    const own = all?.filter((one) => one.account === account).length ?? 0;
    return `${own} ${word}${own === 1 ? "" : "s"}`;
  };
  return `${count(sessions.data, "session")} and ${count(tokens.data, "token")}, and its connections`;
}

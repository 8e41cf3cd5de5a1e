"use client";
import type { Delegation } from "@lendbuf/shared/delegation";
import { Button } from "../../ui/button.tsx";
import { Snippet } from "../../ui/copy.tsx";
import { useLive } from "../connection/live.tsx";
import { endWords } from "../delegation/end-words.ts";
import { StateMark } from "../delegation/state-mark.tsx";
import { stateOf } from "../delegation/state-of.ts";
import { TimeLeft } from "../delegation/time-left.tsx";
import { linesToPaste } from "./lines-to-paste.ts";

/** What became of the request, as it goes on, and the lines that take it. */
export function Delegated({ made, onClose }: { made: Delegation; onClose(): void }) {
  const { status, delegations } = useLive();
  const latest =
    [...(delegations?.items ?? []), ...(delegations?.recent ?? [])].find(({ id }) => id === made.id) ?? made;
  return (
    <div className="grid gap-4">
      <div className="grid grid-cols-[auto_minmax(0,14rem)] items-center justify-start gap-4">
        <StateMark state={stateOf(latest)} />
        <TimeLeft delegation={latest} />
      </div>
      <p>{sentence(latest)}</p>
      {status &&
        linesToPaste(made, status.socket).map(({ label, text }) => <Snippet key={label} label={label} text={text} />)}
      <div className="flex justify-end">
        <Button look="primary" onClick={onClose}>
          Done
        </Button>
      </div>
    </div>
  );
}

function sentence(delegation: Delegation): string {
  const { id, account, state, position, client } = delegation;
  if (state === "waiting")
    return `It waits in line, place ${position}. When its turn comes it is offered to ${account}, who then has to claim it in time.`;
  if (state === "offered")
    return `It is reserved for ${account}, and nothing is exported until a program of theirs on the agent's host claims it.`;
  if (state === "active") return `Claimed${client ? ` by ${client.command ?? "a program"} (pid ${client.pid})` : ""}.`;
  return `${id} has ended: ${endWords(delegation)}.`;
}

"use client";
import type { Input } from "@lendbuf/shared/api";
import type { Delegation } from "@lendbuf/shared/delegation";
import { mayCall } from "@lendbuf/shared/permissions";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Choice, Field, TextInput } from "../../ui/field.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { Account } from "../delegation/account.tsx";
import { useBuffers } from "../now/use-buffers.ts";
import { count, summaryWords } from "./summary-words.ts";
import { UnfinishedList } from "./unfinished-list.tsx";

const KINDS = ["device", "account", "tag"] as const;
type Kind = (typeof KINDS)[number];

/** Ends all of a device, an account or a tag, having shown what that hits; then how it went. */
export function RevokePartDialog({ onClose }: { onClose(): void }) {
  const trpc = useTRPC();
  const { me } = useLive();
  const isInTouch = useIsInTouch();
  const announce = useAnnounce();
  const [kind, setKind] = useState<Kind>("device");
  const [value, setValue] = useState("");
  const { names, hits } = useScope(kind, value);
  const revoke = useMutation(
    trpc.delegations.revokeAll.mutationOptions({ onSuccess: (summary) => announce(summaryWords(summary)) }),
  );
  const isKnown = names.includes(value);
  const isAllowed = mayCall(me?.role ?? null, "delegations.revokeAll") && isInTouch;
  return (
    <Dialog
      title="Revoke a part"
      description="Ends what is lent, offered and waited for, at once and by force."
      onClose={onClose}
    >
      {revoke.data ? (
        <div className="grid gap-3">
          <p>{summaryWords(revoke.data)}</p>
          <UnfinishedList summary={revoke.data} />
          <Button className="justify-self-end" onClick={onClose}>
            Close
          </Button>
        </div>
      ) : (
        <form
          className="grid gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            if (isKnown) revoke.mutate({ [kind]: value } satisfies Input<"delegations.revokeAll">);
          }}
        >
          <Choice
            legend="All of"
            value={kind}
            options={KINDS.map((one) => ({ value: one, label: `one ${one}` }))}
            onChange={(next) => {
              setKind(next);
              setValue("");
            }}
          />
          <Field
            label={`Which ${kind}`}
            hint={names.length > 0 ? names.slice(0, 12).join(", ") : `There is no ${kind} yet.`}
          >
            <TextInput
              value={value}
              list="revoke-names"
              className="code"
              onChange={(event) => setValue(event.target.value)}
            />
          </Field>
          <datalist id="revoke-names">
            {names.map((name) => (
              <option key={name} value={name} />
            ))}
          </datalist>
          {isKnown && <Hits hits={hits} />}
          {revoke.error && <Problem>{revoke.error.message}</Problem>}
          {!isAllowed && <Problem>Only an operator in touch with the agent may do this.</Problem>}
          <div className="flex justify-end gap-2">
            <Button look="quiet" onClick={onClose}>
              Leave it
            </Button>
            <Button type="submit" look="danger-primary" disabled={!isKnown || !isAllowed || revoke.isPending}>
              {isKnown ? `Revoke ${hits.length}` : "Revoke"}
            </Button>
          </div>
        </form>
      )}
    </Dialog>
  );
}

/** What there is to choose from, and what the choice hits. */
function useScope(kind: Kind, value: string): { names: string[]; hits: Delegation[] } {
  const { status, delegations } = useLive();
  const { buffers = [] } = useBuffers();
  const items = delegations?.items ?? [];
  const tagsOf = new Map(buffers.map(({ name, tags }) => [name, tags]));
  const all: Record<Kind, string[]> = {
    device: (status?.devices ?? []).map(({ name }) => name),
    account: items.map(({ account }) => account),
    tag: buffers.flatMap(({ tags }) => tags),
  };
  const hits = items.filter((it) =>
    kind === "tag" ? (tagsOf.get(it.buffer)?.includes(value) ?? false) : it[kind] === value,
  );
  return { names: [...new Set(all[kind])].sort(), hits };
}

function Hits({ hits }: { hits: readonly Delegation[] }) {
  if (hits.length === 0) return <p className="text-muted">It has nothing that could be ended now.</p>;
  return (
    <div>
      <h3 className="font-medium">This ends {count(hits.length, "delegation")}</h3>
      <ul className="mt-1 max-h-60 overflow-y-auto">
        {hits.map((it) => (
          <li key={it.id} className="flex gap-3 border-t py-1.5">
            <span className="code grow">{it.buffer}</span>
            <Account account={it.account} />
            <span className="text-muted">{it.state}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

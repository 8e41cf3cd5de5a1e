"use client";
import { ACCOUNT_NAME, type Account, type AccountKind } from "@lendbuf/shared/account";
import type { Role } from "@lendbuf/shared/role";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Choice, Field, TextInput } from "../../ui/field.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { ROLE_CHOICES } from "./role-words.ts";

const KINDS = [
  { value: "person", label: "A person" },
  { value: "service", label: "A service" },
] as const;

/** Makes an account, or changes one. */
export function AccountDialog({ account, onClose }: { account?: Account; onClose(): void }) {
  const trpc = useTRPC();
  const isInTouch = useIsInTouch();
  const [name, setName] = useState(account?.name ?? "");
  const [role, setRole] = useState<Role>(account?.role ?? "member");
  const [kind, setKind] = useState<AccountKind>(account?.kind ?? "person");
  const [uids, setUids] = useState(account?.uids.join(" ") ?? "");
  const [groups, setGroups] = useState(account?.groups.join(" ") ?? "");
  const onSuccess = useDone(onClose);
  const create = useMutation(trpc.accounts.create.mutationOptions({ onSuccess }));
  const update = useMutation(trpc.accounts.update.mutationOptions({ onSuccess }));
  const { error, isPending } = account ? update : create;
  const problem = problemOf(name, uids);

  function submit(event: FormEvent) {
    event.preventDefault();
    const fields = { name, role, kind, uids: wordsOf(uids).map(Number), groups: wordsOf(groups) };
    if (account) update.mutate(fields);
    else create.mutate(fields);
  }

  return (
    <Dialog
      title={account ? `Account ${account.name}` : "New account"}
      description="A change counts from the next call on, also for who is connected already."
      onClose={onClose}
    >
      <form onSubmit={submit} className="grid gap-4">
        {!account && (
          <Field label="Name" hint="A small letter, then small letters, digits and . _ -">
            <TextInput
              autoCapitalize="none"
              value={name}
              onChange={(event) => setName(event.target.value)}
              className="code"
            />
          </Field>
        )}
        <div className="grid gap-1">
          <Choice legend="Role" value={role} options={ROLE_CHOICES} onChange={setRole} />
          <p className="text-muted">{ROLE_CHOICES.find(({ value }) => value === role)!.title}.</p>
        </div>
        <Choice legend="It is" value={kind} options={KINDS} onChange={setKind} />
        <Field label="Uids" hint="Who these users of the agent's host are, it is: 1001 1002. Optional.">
          <TextInput value={uids} onChange={(event) => setUids(event.target.value)} className="code" />
        </Field>
        <Field label="Groups" hint="And who is in these groups there. Optional.">
          <TextInput value={groups} onChange={(event) => setGroups(event.target.value)} className="code" />
        </Field>
        {error && <Problem>{error.message}</Problem>}
        <div className="flex justify-end">
          <Button type="submit" look="primary" disabled={!isInTouch || isPending || problem}>
            {account ? "Change account" : "Make account"}
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

function useDone(onClose: () => void): (account: Account) => void {
  const queries = useQueryClient();
  const announce = useAnnounce();
  return ({ name, role }) => {
    announce(`Account ${name} has the role ${role}.`);
    void queries.invalidateQueries();
    onClose();
  };
}

function problemOf(name: string, uids: string): boolean {
  return !ACCOUNT_NAME.test(name) || wordsOf(uids).some((uid) => !/^\d{1,10}$/.test(uid));
}

function wordsOf(text: string): string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

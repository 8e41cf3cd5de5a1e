"use client";
import { PASSWORD_LENGTH } from "@lendbuf/shared/account";
import type { Identity } from "@lendbuf/shared/session";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Field, TextInput } from "../../ui/field.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";

/** One's own password, or as an admin another's. */
export function PasswordDialog({ account, me, onClose }: { account: string; me: Identity; onClose(): void }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const [current, setCurrent] = useState("");
  const [password, setPassword] = useState("");
  const [again, setAgain] = useState("");
  const isOwn = account === me.account;
  const asksCurrent = isOwn && me.hasPassword;
  const set = useMutation(
    trpc.accounts.setPassword.mutationOptions({
      onSuccess(_answer, { password: was }) {
        announce(was === null ? `${account} has no password any more.` : `The password of ${account} is set.`);
        void queries.invalidateQueries();
        onClose();
      },
    }),
  );
  const ask = (wanted: string | null) =>
    set.mutate({ password: wanted, ...(isOwn ? {} : { account }), ...(asksCurrent && { current }) });
  const isShort = password.length < PASSWORD_LENGTH.least;

  function submit(event: FormEvent) {
    event.preventDefault();
    ask(password);
  }

  return (
    <Dialog
      title={isOwn ? "Your password" : `The password of ${account}`}
      description={
        isOwn
          ? "Your other browsers are signed out; links that were not used yet are good for nothing any more."
          : `${account} is signed out everywhere, and must choose another password at the first login with this one.`
      }
      onClose={onClose}
    >
      <form onSubmit={submit} className="grid gap-4">
        {/* For password managers: whose it is. */}
        <input hidden readOnly type="text" name="username" autoComplete="username" value={account} />
        {asksCurrent && (
          <Field label="Current password">
            <Secret autoComplete="current-password" value={current} onChange={setCurrent} />
          </Field>
        )}
        <Field label="New password" hint={`At least ${PASSWORD_LENGTH.least} characters, of any kind.`}>
          <Secret autoComplete="new-password" value={password} onChange={setPassword} />
        </Field>
        <Field label="The same again" hint={again !== "" && again !== password ? "These two differ." : undefined}>
          <Secret autoComplete="new-password" value={again} onChange={setAgain} />
        </Field>
        {set.error && <Problem>{set.error.message}</Problem>}
        <div className="flex flex-wrap justify-end gap-2">
          {(asksCurrent || !isOwn) && (
            <Button
              look="danger"
              disabled={!isInTouch || set.isPending || (asksCurrent && current === "")}
              onClick={() => ask(null)}
            >
              Take it away
            </Button>
          )}
          <Button
            type="submit"
            look="primary"
            disabled={!isInTouch || set.isPending || isShort || again !== password || (asksCurrent && current === "")}
          >
            Set password
          </Button>
        </div>
      </form>
    </Dialog>
  );
}

interface SecretProps {
  autoComplete: string;
  value: string;
  onChange(value: string): void;
}

function Secret({ onChange, ...rest }: SecretProps) {
  return (
    <TextInput
      type="password"
      maxLength={PASSWORD_LENGTH.most}
      onChange={(event) => onChange(event.target.value)}
      {...rest}
    />
  );
}

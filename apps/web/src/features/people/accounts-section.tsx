"use client";
import type { Account } from "@lendbuf/shared/account";
import type { Identity } from "@lendbuf/shared/session";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { AccountDialog } from "./account-dialog.tsx";
import { EndAccountDialog } from "./end-account-dialog.tsx";
import { LinkDialog } from "./link-dialog.tsx";
import { PasswordDialog } from "./password-dialog.tsx";
import { Row, Section } from "./section.tsx";

const MOST_SHOWN = 500;

type Open = { dialog: "new" } | { dialog: "change" | "link" | "password" | "disable" | "remove"; account: Account };

/** The accounts that admins made; for admins. */
export function AccountsSection({ me }: { me: Identity }) {
  const trpc = useTRPC();
  const isInTouch = useIsInTouch();
  const [open, setOpen] = useState<Open>();
  const { data, error } = useQuery({ ...trpc.accounts.list.queryOptions({ limit: MOST_SHOWN }), staleTime: 0 });
  const items = data?.items ?? [];
  const close = () => setOpen(undefined);
  return (
    <Section
      id="accounts"
      title="Accounts"
      about="Persons and services with a role. Users of the agent's host whom none of them names come in as uid:1000 and the like."
      action={
        <Button disabled={!isInTouch} onClick={() => setOpen({ dialog: "new" })}>
          New account
        </Button>
      }
    >
      {error && <Problem>{error.message}</Problem>}
      {data && items.length === 0 && <p className="px-4 text-muted">There are none yet.</p>}
      <ul aria-label="Accounts">
        {items.map((account) => (
          <AccountRow key={account.name} account={account} onOpen={(dialog) => setOpen({ dialog, account })} />
        ))}
      </ul>
      {data && data.total > items.length && (
        <p className="px-4 pt-2 text-muted">
          {data.total - items.length} more are not shown; <span className="code">lendbuf account list</span> has them
          all.
        </p>
      )}
      {open?.dialog === "new" && <AccountDialog onClose={close} />}
      {open?.dialog === "change" && <AccountDialog account={open.account} onClose={close} />}
      {open?.dialog === "link" && <LinkDialog account={open.account.name} onClose={close} />}
      {open?.dialog === "password" && <PasswordDialog account={open.account.name} me={me} onClose={close} />}
      {(open?.dialog === "disable" || open?.dialog === "remove") && (
        <EndAccountDialog account={open.account.name} how={open.dialog} onClose={close} />
      )}
    </Section>
  );
}

interface RowProps {
  account: Account;
  onOpen(dialog: "change" | "link" | "password" | "disable" | "remove"): void;
}

function AccountRow({ account, onOpen }: RowProps) {
  const { name, role, kind, disabled } = account;
  const isInTouch = useIsInTouch();
  const act = (dialog: Parameters<typeof onOpen>[0], words: string) => (
    <Button look="quiet" disabled={!isInTouch} aria-label={`${words}: ${name}`} onClick={() => onOpen(dialog)}>
      {words}
    </Button>
  );
  return (
    <Row
      actions={
        <>
          {act("change", "Change")}
          {!disabled && act("link", "Login link")}
          {!disabled && act("password", "Password")}
          {disabled ? <Enable name={name} /> : act("disable", "Disable")}
          {act("remove", "Remove")}
        </>
      }
    >
      <span className="code font-medium wrap-anywhere">{name}</span>{" "}
      <span className={disabled ? "text-alarm" : undefined}>{disabled ? `${role}, disabled` : role}</span>
      <span className="block text-muted wrap-anywhere">{[kind, ...usersOf(account)].join(", ")}</span>
    </Row>
  );
}

function usersOf({ uids, groups }: Account): string[] {
  if (uids.length + groups.length === 0) return ["over HTTP only"];
  return [...uids.map((uid) => `uid ${uid}`), ...groups.map((group) => `group ${group}`)];
}

function Enable({ name }: { name: string }) {
  const trpc = useTRPC();
  const queries = useQueryClient();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const enable = useMutation(
    trpc.accounts.update.mutationOptions({
      onSuccess() {
        announce(`Account ${name} may come in again.`);
        void queries.invalidateQueries();
      },
      onError: ({ message }) => announce(message),
    }),
  );
  return (
    <Button
      look="quiet"
      aria-label={`Enable: ${name}`}
      disabled={!isInTouch || enable.isPending}
      onClick={() => enable.mutate({ name, disabled: false })}
    >
      Enable
    </Button>
  );
}

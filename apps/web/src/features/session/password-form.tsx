"use client";
import { PASSWORD_LENGTH } from "@lendbuf/shared/account";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Field, TextInput } from "../../ui/field.tsx";
import { NewPasswordNeeded } from "./log-in.ts";
import { useSessionControl } from "./session.ts";

/** A name and a password; and another one where somebody else chose it. */
export function PasswordForm({ onProblem }: { onProblem(problem: string | null): void }) {
  const { signIn } = useSessionControl();
  const [account, setAccount] = useState("");
  const [password, setPassword] = useState("");
  const [newPassword, setNewPassword] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    onProblem(null);
    try {
      await signIn({ account: account.trim(), password, ...(newPassword !== undefined && { newPassword }) });
    } catch (cause) {
      if (cause instanceof NewPasswordNeeded) setNewPassword((before) => before ?? "");
      else if (newPassword === undefined) setPassword("");
      onProblem((cause as Error).message);
    }
    setBusy(false);
  }

  return (
    <form onSubmit={(event) => void submit(event)} className="grid gap-3">
      <Field label="Account">
        <TextInput
          name="username"
          autoComplete="username"
          autoCapitalize="none"
          value={account}
          onChange={(event) => setAccount(event.target.value)}
          className="code"
        />
      </Field>
      <Field label="Password">
        <TextInput
          type="password"
          name="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {newPassword !== undefined && (
        <Field label="New password" hint={`At least ${PASSWORD_LENGTH.least} characters.`}>
          <TextInput
            type="password"
            name="new-password"
            autoComplete="new-password"
            value={newPassword}
            onChange={(event) => setNewPassword(event.target.value)}
          />
        </Field>
      )}
      <div className="flex justify-end">
        <Button
          type="submit"
          look="primary"
          className="h-8"
          disabled={
            isBusy ||
            account.trim() === "" ||
            password === "" ||
            (newPassword !== undefined && newPassword.length < PASSWORD_LENGTH.least)
          }
        >
          {isBusy ? "Asking…" : "Sign in"}
        </Button>
      </div>
    </form>
  );
}

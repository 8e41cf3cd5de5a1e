"use client";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Snippet } from "../../ui/copy.tsx";
import { Field, TextInput } from "../../ui/field.tsx";
import { Problem } from "../../ui/problem.tsx";
import { Wordmark } from "../frame/wordmark.tsx";
import { PasswordForm } from "./password-form.tsx";
import { ProviderButton } from "./provider-button.tsx";
import { useSessionControl } from "./session.ts";
import { secretOf } from "./take-secret.ts";

const NO_LINK =
  "That is no login link. It looks like http://127.0.0.1:7117/#login=… and is printed by `npx lendbuf login`.";

/** What this is, and the ways in. */
export function SignedOut({ problem: reason }: { problem: string | null }) {
  const [problem, setProblem] = useState(reason);
  return (
    <main className="mx-auto grid max-w-xl gap-6 px-4 py-12 wide:py-24">
      <Wordmark />
      <div className="grid gap-1">
        <h1 className="text-lg font-medium tracking-tight">Signed out</h1>
        <p className="text-muted">
          Lendbuf lends device memory to programs for a limited time, and takes it back. This page shows who has what on
          this agent's host. Whoever may use a terminal there may come in.
        </p>
      </div>
      {problem && <Problem>{problem}</Problem>}
      <ProviderButton onProblem={setProblem} />
      <PasswordForm onProblem={setProblem} />
      <div className="grid gap-4 border-t pt-6">
        <Snippet label="Or, in a terminal on the agent's host, print a link that works once" text="npx lendbuf login" />
        <LinkForm onProblem={setProblem} />
      </div>
    </main>
  );
}

function LinkForm({ onProblem }: { onProblem(problem: string): void }) {
  const { signIn } = useSessionControl();
  const [pasted, setPasted] = useState("");
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    const secret = secretOf(pasted);
    if (!secret) return onProblem(NO_LINK);
    setBusy(true);
    await signIn({ secret }).catch((cause: Error) => onProblem(cause.message));
    setBusy(false);
    setPasted("");
  }

  return (
    <form onSubmit={(event) => void submit(event)}>
      <Field label="Open the link, or paste it here">
        <span className="flex gap-2">
          <TextInput
            type="password"
            name="link"
            value={pasted}
            onChange={(event) => setPasted(event.target.value)}
            placeholder="http://127.0.0.1:7117/#login=…"
            className="grow code"
          />
          <Button type="submit" className="h-8" disabled={isBusy || pasted === ""}>
            Use the link
          </Button>
        </span>
      </Field>
    </form>
  );
}

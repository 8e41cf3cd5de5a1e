"use client";
import type { Scope } from "@lendbuf/shared/role";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Snippet } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Choice, Field, TextInput } from "../../ui/field.tsx";
import { formatMoment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { SCOPE_CHOICES } from "./role-words.ts";

const DAY_MS = 86_400_000;
const LIVES = [
  { value: String(DAY_MS), label: "1 day" },
  { value: String(7 * DAY_MS), label: "7 days" },
  { value: String(90 * DAY_MS), label: "90 days" },
  { value: String(365 * DAY_MS), label: "1 year" },
];

/** Makes a token, and shows it this once. */
export function TokenDialog({ onClose }: { onClose(): void }) {
  const trpc = useTRPC();
  const create = useMutation(trpc.tokens.create.mutationOptions());
  if (!create.data) {
    return (
      <Dialog title="New token" description="For a script, which then acts for you." onClose={onClose}>
        <TokenForm problem={create.error?.message} isBusy={create.isPending} onSubmit={(wish) => create.mutate(wish)} />
      </Dialog>
    );
  }
  const { name, token, expiresAt } = create.data;
  return (
    <Dialog
      title={`Token ${name}`}
      description={`It is good until ${formatMoment(expiresAt)}. Copy it now: it is not shown again.`}
      onClose={onClose}
    >
      <div className="grid gap-4">
        <Snippet label="The token" text={token} />
        <p className="text-muted">
          In a file that only its script can read: <span className="code">lendbuf --agent URL --token-file FILE …</span>
        </p>
        <div className="flex justify-end">
          <Button onClick={onClose}>Done</Button>
        </div>
      </div>
    </Dialog>
  );
}

interface TokenFormProps {
  problem: string | undefined;
  isBusy: boolean;
  onSubmit(wish: { name: string; scope: Scope; lifeMs: number }): void;
}

function TokenForm({ problem, isBusy, onSubmit }: TokenFormProps) {
  const isInTouch = useIsInTouch();
  const [name, setName] = useState("");
  const [scope, setScope] = useState<Scope>("lend");
  const [life, setLife] = useState(LIVES[2]!.value);

  function submit(event: FormEvent) {
    event.preventDefault();
    onSubmit({ name: name.trim(), scope, lifeMs: Number(life) });
  }

  return (
    <form onSubmit={submit} className="grid gap-4">
      <Field label="What it is for">
        <TextInput maxLength={64} value={name} onChange={(event) => setName(event.target.value)} />
      </Field>
      <div className="grid gap-1">
        <Choice legend="Scope" value={scope} options={SCOPE_CHOICES} onChange={setScope} />
        <p className="text-muted">{SCOPE_CHOICES.find(({ value }) => value === scope)!.title}.</p>
      </div>
      <Choice legend="For how long" value={life} options={LIVES} onChange={setLife} />
      {problem && <Problem>{problem}</Problem>}
      <div className="flex justify-end">
        <Button type="submit" look="primary" disabled={!isInTouch || isBusy || name.trim() === ""}>
          Make token
        </Button>
      </div>
    </form>
  );
}

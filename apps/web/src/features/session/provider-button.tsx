"use client";
import { useEffect, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { goToProvider, providerName } from "./log-in.ts";

/** To the identity provider, where the agent has one. */
export function ProviderButton({ onProblem }: { onProblem(problem: string): void }) {
  const [name, setName] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => void providerName().then(setName), []);
  if (!name) return null;

  async function go() {
    setBusy(true);
    await goToProvider().catch((cause: Error) => {
      onProblem(cause.message);
      setBusy(false);
    });
  }

  return (
    <Button className="h-8" disabled={isBusy} onClick={() => void go()}>
      Continue with {name}
    </Button>
  );
}

"use client";
import type { Identity } from "@lendbuf/shared/session";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { PasswordDialog } from "./password-dialog.tsx";
import { Section } from "./section.tsx";

/** Who you are, and your password. */
export function OwnSection({ me }: { me: Identity }) {
  const [isOpen, setOpen] = useState(false);
  const isInTouch = useIsInTouch();
  const words = me.hasPassword
    ? "You have a password to sign in with here."
    : "You have no password: you sign in by a login link.";
  return (
    <Section
      id="you"
      title="You"
      about={
        <>
          You are <span className="code text-ink">{me.account}</span>
          {me.name && ` (${me.name})`}, {me.role}. {words}
        </>
      }
      action={
        <Button disabled={!isInTouch} onClick={() => setOpen(true)}>
          {me.hasPassword ? "Change password" : "Set a password"}
        </Button>
      }
    >
      {isOpen && <PasswordDialog account={me.account} me={me} onClose={() => setOpen(false)} />}
    </Section>
  );
}

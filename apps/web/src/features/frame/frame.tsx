"use client";
import { ChevronDown, CircleHelp, UserRound } from "lucide-react";
import Link from "next/link";
import { usePathname, useRouter } from "next/navigation";
import { type ReactNode, useState } from "react";
import { ActionsProvider } from "../actions/actions.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { ContactLine } from "../connection/contact-line.tsx";
import { OutOfTouch } from "../connection/out-of-touch.tsx";
import { HelpDialog } from "../keyboard/help-dialog.tsx";
import { SEARCH_FIELD, useShortcut } from "../keyboard/shortcuts.ts";
import { RevokeEverything } from "../revoke/revoke-everything.tsx";
import { RevokePartDialog } from "../revoke/revoke-part-dialog.tsx";
import { SessionDialog } from "../session/session-dialog.tsx";
import { Alarms } from "./alarms.tsx";
import { ThemeSwitch } from "./theme-switch.tsx";
import { Wordmark } from "./wordmark.tsx";

const ICON_BUTTON = "rounded-sm p-1.5 text-muted hover:bg-hover hover:text-ink";

/** What every page has around it. */
export function Frame({ children }: { children: ReactNode }) {
  const [open, setOpen] = useState<"help" | "session" | "revoke">();
  const isInTouch = useIsInTouch();
  const router = useRouter();
  useShortcut("/", () => document.getElementById(SEARCH_FIELD)?.focus());
  useShortcut("g", () => router.push("/"));
  return (
    <ActionsProvider>
      <a
        href="#content"
        className="sr-only rounded-md border bg-raised px-3 py-2 focus:not-sr-only focus:absolute focus:z-50"
      >
        Skip to the content
      </a>
      <header className="sticky top-0 z-20 flex h-11 items-center gap-x-3 border-b bg-paper px-4 wide:gap-x-5">
        <Link prefetch={false} href="/" aria-label="Lendbuf: all buffers" className="flex rounded-sm">
          <Wordmark />
        </Link>
        <PageLink href="/host">Host</PageLink>
        <PageLink href="/people">People</PageLink>
        <ContactLine />
        <div className="ml-auto flex items-center gap-0.5">
          <ThemeSwitch className={ICON_BUTTON} />
          <button
            type="button"
            className={`${ICON_BUTTON} hidden wide:block`}
            aria-label="Keyboard shortcuts"
            title="Keyboard shortcuts (?)"
            onClick={() => setOpen("help")}
          >
            <CircleHelp size={16} aria-hidden />
          </button>
          <button
            type="button"
            className={ICON_BUTTON}
            aria-label="Session"
            title="Who you are, and signing out"
            onClick={() => setOpen("session")}
          >
            <UserRound size={16} aria-hidden />
          </button>
          <RevokeEverything />
          <button
            type="button"
            className={ICON_BUTTON}
            aria-label="Revoke a part"
            title="Revoke all of a device, an account or a tag"
            onClick={() => setOpen("revoke")}
          >
            <ChevronDown size={16} aria-hidden />
          </button>
        </div>
      </header>
      <OutOfTouch />
      <Alarms />
      <main
        id="content"
        tabIndex={-1}
        className={`outline-none transition-opacity duration-300 ${isInTouch ? "" : "opacity-70"}`}
      >
        <Page>{children}</Page>
      </main>
      {open === "help" && <HelpDialog onClose={() => setOpen(undefined)} />}
      {open === "revoke" && <RevokePartDialog onClose={() => setOpen(undefined)} />}
      {open === "session" && <SessionDialog onClose={() => setOpen(undefined)} />}
    </ActionsProvider>
  );
}

function PageLink({ href, children }: { href: string; children: string }) {
  const isHere = usePathname() === href;
  return (
    <Link
      prefetch={false}
      href={href}
      aria-current={isHere ? "page" : undefined}
      className={`rounded-sm px-1 ${isHere ? "font-medium" : "text-muted hover:text-ink"}`}
    >
      {children}
    </Link>
  );
}

/** Each page begins at its top. */
function Page({ children }: { children: ReactNode }) {
  return <div key={usePathname()}>{children}</div>;
}

"use client";
import { useEffect, useRef } from "react";

/** The id of the field that `/` goes to. */
export const SEARCH_FIELD = "search";

export const SHORTCUTS = [
  { keys: "/", does: "search" },
  { keys: "j k", does: "next and previous row" },
  { keys: "Enter", does: "open the row's buffer" },
  { keys: "d", does: "delegate the row's buffer" },
  { keys: "r", does: "revoke what the row shows" },
  { keys: "e", does: "extend its lease" },
  { keys: "g", does: "back to all buffers" },
  { keys: "?", does: "this list" },
] as const;

/** Calls back when the key is pressed, unless somebody types or a dialog is open. */
export function useShortcut(key: string, act: (event: KeyboardEvent) => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key !== key || event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
      if (isTyping(event.target) || document.querySelector('[role="dialog"]')) return;
      event.preventDefault();
      latest.current(event);
    };
    window.addEventListener("keydown", listen);
    return () => window.removeEventListener("keydown", listen);
  }, [key]);
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName))
  );
}

/** Presses the button for an action in the row that has the focus, or in the only one there is. */
export function pressInRow(action: "delegate" | "revoke" | "extend"): boolean {
  const rows = document.querySelectorAll("[data-row]");
  const row = document.activeElement?.closest("[data-row]") ?? (rows.length === 1 ? rows[0] : undefined);
  const button = row?.querySelector<HTMLButtonElement>(`[data-action="${action}"]:not(:disabled)`);
  button?.click();
  return button !== undefined && button !== null;
}

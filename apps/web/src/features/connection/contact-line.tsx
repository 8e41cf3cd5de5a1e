"use client";
import { useContact } from "./connection-provider.tsx";

const LOOKS = {
  open: { words: "Live", colour: "text-offered", filled: true },
  connecting: { words: "Connecting", colour: "text-muted", filled: false },
  lost: { words: "Out of touch", colour: "text-alarm", filled: false },
};

/** Whether what is on the screen is what is. */
export function ContactLine() {
  const { words, colour, filled } = LOOKS[useContact().state];
  return (
    <span role="status" title={words} className={`inline-flex items-center gap-1.5 whitespace-nowrap ${colour}`}>
      <svg width="8" height="8" viewBox="0 0 8 8" aria-hidden>
        <circle cx="4" cy="4" r="3" fill={filled ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.5" />
      </svg>
      {/* On a narrow screen there is no room; what is out of touch is said below the bar as well. */}
      <span className="sr-only wide:not-sr-only">{words}</span>
    </span>
  );
}

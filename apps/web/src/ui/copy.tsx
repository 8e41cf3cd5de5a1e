"use client";
import { Check, Copy as CopyIcon } from "lucide-react";
import { useEffect, useState } from "react";

/** Copies a text; says so where it stands. */
export function CopyButton({ text, what }: { text: string; what: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), 1500);
    return () => clearTimeout(timer);
  }, [copied]);
  const Icon = copied ? Check : CopyIcon;
  return (
    <button
      type="button"
      aria-label={copied ? "Copied" : `Copy ${what}`}
      title={copied ? "Copied" : `Copy ${what}`}
      className="shrink-0 rounded-sm p-1 text-muted hover:bg-hover hover:text-ink"
      onClick={() => void navigator.clipboard.writeText(text).then(() => setCopied(true))}
    >
      <Icon size={14} aria-hidden className={copied ? "text-offered" : undefined} />
    </button>
  );
}

/** Lines to paste elsewhere. */
export function Snippet({ label, text }: { label: string; text: string }) {
  return (
    <figure className="min-w-0">
      <figcaption className="eyebrow mb-1">{label}</figcaption>
      <div className="flex items-start gap-1 rounded-sm border bg-sunken py-1.5 pr-1 pl-2.5">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <pre className="code min-w-0 grow overflow-x-auto" tabIndex={0}>
          {text}
        </pre>
        <CopyButton text={text} what={label} />
      </div>
    </figure>
  );
}

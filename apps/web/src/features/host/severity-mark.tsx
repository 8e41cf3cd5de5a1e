import type { Severity } from "@lendbuf/shared/doctor";
import type { ReactNode } from "react";

interface Mark {
  word: string;
  plural: string;
  colour: string;
  shape: ReactNode;
}

const STROKE = { fill: "none", stroke: "currentColor", strokeWidth: 1.5 } as const;

/** A word, a shape and a colour each; the shape alone is enough to tell them apart. */
const MARKS: Record<Severity, Mark> = {
  ok: {
    word: "In order",
    plural: "in order",
    colour: "text-offered",
    shape: <path d="M1.5 6.5l3 3 6-7" {...STROKE} />,
  },
  note: { word: "Note", plural: "notes", colour: "text-muted", shape: <circle cx="6" cy="6" r="4" {...STROKE} /> },
  warning: {
    word: "Warning",
    plural: "warnings",
    colour: "text-revoking",
    shape: <path d="M6 1l5 9.5H1z" {...STROKE} />,
  },
  problem: {
    word: "Problem",
    plural: "problems",
    colour: "text-alarm",
    shape: <path d="M2 2l8 8M10 2l-8 8" {...STROKE} strokeWidth={2} />,
  },
};

export function SeverityMark({ severity }: { severity: Severity }) {
  const { word, colour, shape } = MARKS[severity];
  return (
    <span className={`inline-flex items-center gap-1.5 self-start font-medium whitespace-nowrap ${colour}`}>
      <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden className="shrink-0">
        {shape}
      </svg>
      {word}
    </span>
  );
}

/** "1 problem", "3 notes". */
export function severityWords(severity: Severity, count: number): string {
  const { word, plural } = MARKS[severity];
  return `${count} ${count === 1 ? word.toLowerCase() : plural}`;
}

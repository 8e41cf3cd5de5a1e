import type { ReactNode } from "react";

export type StateWord =
  | "free"
  | "offered"
  | "waiting"
  | "lent"
  | "suspended"
  | "revoking"
  | "unproven"
  | "revoked"
  | "cancelled"
  | "preparing"
  | "held"
  | "lost";

interface Mark {
  word: string;
  colour: string;
  shape: ReactNode;
}

const STROKE = { fill: "none", stroke: "currentColor", strokeWidth: 1.5 } as const;

/** Each state has a word, a shape and a colour; the shape alone is enough to tell them apart. */
const MARKS: Record<StateWord, Mark> = {
  free: { word: "Free", colour: "text-free", shape: <circle cx="6" cy="6" r="4" {...STROKE} /> },
  offered: {
    word: "Offered",
    colour: "text-offered",
    shape: (
      <>
        <circle cx="6" cy="6" r="4" {...STROKE} />
        <path d="M6 2a4 4 0 0 1 0 8z" fill="currentColor" />
      </>
    ),
  },
  waiting: {
    word: "Waiting",
    colour: "text-offered",
    shape: <path d="M2.5 2.5h7L6 6l3.5 3.5h-7L6 6z" {...STROKE} strokeLinejoin="round" />,
  },
  lent: { word: "Lent", colour: "text-lent", shape: <circle cx="6" cy="6" r="4.75" fill="currentColor" /> },
  suspended: {
    word: "Suspended",
    colour: "text-revoking",
    shape: <path d="M2.5 1.5h2.5v9H2.5zM7 1.5h2.5v9H7z" fill="currentColor" />,
  },
  revoking: { word: "Revoking", colour: "text-revoking", shape: <path d="M6 1l5 5-5 5-5-5z" fill="currentColor" /> },
  unproven: {
    word: "Unproven",
    colour: "text-alarm",
    shape: <path d="M6 1l5 5-5 5-5-5zM6 4v2.5M6 7.6v.9" {...STROKE} />,
  },
  revoked: {
    word: "Revoked",
    colour: "text-ended",
    shape: <path d="M2 2h8v8H2z" {...STROKE} />,
  },
  cancelled: { word: "Cancelled", colour: "text-ended", shape: <path d="M2 6h8" {...STROKE} /> },
  preparing: {
    word: "Preparing",
    colour: "text-offered",
    shape: <circle cx="6" cy="6" r="4" {...STROKE} strokeDasharray="3 2" />,
  },
  held: {
    word: "Held",
    colour: "text-alarm",
    shape: <path d="M4.5 5V3.5a1.5 1.5 0 0 1 3 0V5M2.5 5h7v5.5h-7z" {...STROKE} />,
  },
  lost: { word: "Lost", colour: "text-alarm", shape: <path d="M2 2l8 8M10 2l-8 8" {...STROKE} strokeWidth={2} /> },
};

export function stateWord(state: StateWord): string {
  return MARKS[state].word;
}

export function StateShape({ state }: { state: StateWord }) {
  const { colour, shape } = MARKS[state];
  return (
    <svg width="12" height="12" viewBox="0 0 12 12" aria-hidden className={`shrink-0 ${colour}`}>
      {shape}
    </svg>
  );
}

export function StateMark({ state }: { state: StateWord }) {
  const { word, colour } = MARKS[state];
  return (
    <span className={`inline-flex items-center gap-1.5 font-medium whitespace-nowrap ${colour}`}>
      <StateShape state={state} />
      {word}
    </span>
  );
}

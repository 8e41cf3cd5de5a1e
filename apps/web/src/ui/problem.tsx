import type { ReactNode } from "react";

/** What went wrong, as it was said. */
export function Problem({ children }: { children: ReactNode }) {
  return (
    <p role="alert" className="border-l-2 border-alarm bg-alarm-soft px-3 py-2 text-alarm">
      {children}
    </p>
  );
}

import type { ReactNode } from "react";

interface SectionProps {
  id: string;
  title: string;
  /** A sentence below the title. */
  about: ReactNode;
  action?: ReactNode;
  children?: ReactNode;
}

export function Section({ id, title, about, action, children }: SectionProps) {
  return (
    <section aria-labelledby={id} className="border-b pb-4">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 pt-4 pb-2">
        <div className="min-w-0 grow basis-60">
          <h2 id={id} className="text-base font-medium">
            {title}
          </h2>
          <p className="max-w-prose text-muted">{about}</p>
        </div>
        {action}
      </div>
      {children}
    </section>
  );
}

/** A thing of a list, and what can be done to it. */
export function Row({ children, actions }: { children: ReactNode; actions?: ReactNode }) {
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 border-t px-4 py-2">
      <div className="min-w-0 grow basis-60">{children}</div>
      <div className="-mx-2.5 flex flex-wrap gap-1">{actions}</div>
    </li>
  );
}

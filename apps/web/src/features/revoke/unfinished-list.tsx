import type { RevokeSummary } from "@lendbuf/shared/api";

/** What a panic could not finish, and on what each waits. */
export function UnfinishedList({ summary: { unfinished, remaining } }: { summary: RevokeSummary }) {
  if (remaining === 0) return null;
  const more = remaining - unfinished.length;
  return (
    <>
      <p className="mt-1 text-alarm">These remain, and are tried again:</p>
      <ul className="max-h-60 overflow-y-auto">
        {unfinished.map(({ id, buffer, waitingFor }) => (
          <li key={id} className="border-t py-1">
            {id} <span className="code">{buffer}</span>: {waitingFor ?? "the kernel has been asked"}
          </li>
        ))}
        {more > 0 && <li className="border-t py-1">and {more} more</li>}
      </ul>
    </>
  );
}

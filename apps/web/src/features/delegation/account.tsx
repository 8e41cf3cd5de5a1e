"use client";
import { useLive } from "../connection/live.tsx";

/** Whose it is; one's own says so. */
export function Account({ account }: { account: string }) {
  const { me } = useLive();
  return (
    <span className="whitespace-nowrap">
      <span className="code">{account}</span>
      {me?.account === account && <span className="text-muted"> (you)</span>}
    </span>
  );
}

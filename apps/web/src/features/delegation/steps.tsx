import type { Delegation } from "@lendbuf/shared/delegation";
import { Moment } from "../../ui/moment.tsx";
import { endWords, proofWords, reasonWords, waitWords } from "./end-words.ts";

/** How far an end has come: decided, asked of the kernel, confirmed; each as the agent said it, never ahead of it. */
export function Steps({ delegation }: { delegation: Delegation }) {
  const { id, state, reason, revocation, proof, endedAt } = delegation;
  if (state === "revoking" && revocation) {
    return (
      <Trail>
        <Step done>decided{reason && `: ${reasonWords(reason)}`}</Step>
        <Step>
          asking the kernel{revocation.method && ` (${revocation.method})`}: {waitWords(revocation)}
        </Step>
      </Trail>
    );
  }
  if (state === "revoked" && proof && proof.method !== "never-exported") {
    const { method, answer, probe, durationUs } = proof;
    return (
      <Trail title={`Delegation ${id}: ${reason ? reasonWords(reason) : ""}; ${proofWords(proof)}`}>
        <Step done>
          {id} {reason ? reasonWords(reason) : "ended"}
        </Step>
        <Step done>
          {method} answered {answer}
          {durationUs !== null && `, ${(durationUs / 1000).toFixed(2)} ms`}
        </Step>
        <Step done>revoked, {probe}</Step>
        {endedAt !== null && (
          <li>
            <Moment at={endedAt} />
          </li>
        )}
      </Trail>
    );
  }
  return (
    <span className="text-muted">
      {id} {endWords(delegation)}
      {endedAt !== null && (
        <>
          {" "}
          <Moment at={endedAt} />
        </>
      )}
    </span>
  );
}

function Trail({ title, children }: { title?: string; children: React.ReactNode }) {
  return (
    <ol title={title} className="flex flex-wrap gap-x-2.5 text-muted">
      {children}
    </ol>
  );
}

function Step({ done = false, children }: { done?: boolean; children: React.ReactNode }) {
  return (
    <li className={`inline-flex items-center gap-1.5 ${done ? "" : "text-revoking"}`}>
      <svg width="7" height="7" viewBox="0 0 8 8" aria-hidden>
        <circle cx="4" cy="4" r="3" fill={done ? "currentColor" : "none"} stroke="currentColor" strokeWidth="1.5" />
      </svg>
      {children}
    </li>
  );
}

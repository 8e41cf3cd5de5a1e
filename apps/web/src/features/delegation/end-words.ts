import type { Scrub } from "@lendbuf/shared/buffer";
import type { Delegation, EndReason, Proof, Revocation } from "@lendbuf/shared/delegation";
import type { Capability } from "@lendbuf/shared/device";

const REASONS: Record<EndReason, string> = {
  operator: "ended by an operator",
  expired: "the lease ran out",
  released: "given back",
  "handed-over": "handed over",
  disconnected: "its client went away",
  idle: "not used",
  preempted: "somebody else went first",
  withdrawn: "withdrawn",
  lapsed: "not claimed in time",
  "no-show": "not claimed in time",
  drained: "the device was drained",
  panic: "everything was revoked",
  collateral: "the whole device was revoked",
  "device-lost": "the device was lost",
  "export-failed": "it could not be exported",
  "agent-restart": "the agent was started anew",
};

/** Why it ended, or is to end, in words for people. */
export function reasonWords(reason: EndReason): string {
  return REASONS[reason];
}

/** "ftruncate, size 0, 0.09 ms": how the kernel confirmed that nobody reaches the memory; as the command line says it. */
export function proofWords(proof: Proof): string {
  if (proof.method === "never-exported") return "was never exported";
  const answer = proof.answer === "0" ? "" : proof.answer;
  const duration = proof.durationUs === null ? "" : `${(proof.durationUs / 1000).toFixed(2)} ms`;
  const by = proof.by === "warden" ? "" : `seen by the ${proof.by}`;
  return [proof.method, answer, proof.probe, duration, by].filter(Boolean).join(", ");
}

/** On what an end waits that the kernel has not confirmed. */
export function waitWords({ attempts, lastErrno, waitingFor, unproven }: Revocation): string {
  if (unproven) return `unproven: ${waitingFor ?? "nobody can tell any more whether the memory can be reached"}`;
  const tries = attempts > 1 ? `attempt ${attempts}` : "";
  return [tries, lastErrno, waitingFor].filter(Boolean).join(", ") || "the kernel has been asked";
}

/** "revoked, ftruncate, size 0, 0.09 ms"; "cancelled, not claimed in time". */
export function endWords({ state, reason, proof, unrecorded }: Delegation): string {
  const how = proof ? proofWords(proof) : reason && REASONS[reason];
  return [state, how, unrecorded && "not on disk yet"].filter(Boolean).join(", ");
}

/** How a device takes memory back, in a sentence. */
export function capabilityWords({ works, method, scope, detail }: Capability): string {
  if (!works || !method) return `Nothing can be exported: ${detail}.`;
  if (scope === "none") return "Cannot be taken back by force: it ends when its holder lets go.";
  if (scope === "device") return `Taken back by ${method}, which ends everything that is lent of the device.`;
  return `Taken back by ${method}, one buffer at a time.`;
}

/** What happens to a buffer's contents before the next borrower. */
export function scrubWords(scrub: Scrub): string {
  if (scrub === "none") return "keeps its contents";
  return scrub === "zero" ? "zeroed" : `filled with ${scrub.pattern}`;
}

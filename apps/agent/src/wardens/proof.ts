import type { RevokedEntry } from "@lendbuf/native/warden/protocol";
import type { Method, Proof } from "@lendbuf/shared/delegation";
import type { Capability } from "@lendbuf/shared/device";
import { errnoName } from "./errno.ts";
import { heldWords } from "./last-reference.ts";

/** What a warden answered to a revoke of an export of this exporter; null where it proves no end. */
export function proofOf(entry: RevokedEntry, exporter: Capability): Proof | null {
  // It ended before, so by what its exporter does.
  const method = entry.method === "ended-before" ? exporter.method : entry.method;
  if (!entry.safe || !method) return null;
  return {
    method,
    scope: exporter.scope,
    by: "warden",
    answer: answerOf(entry),
    probe: probeOf(method, entry, exporter),
    durationUs: Math.round(entry.durationUs),
  };
}

/** The errno's name, or "0". */
export function answerOf({ error }: RevokedEntry): string {
  return error === 0 ? "0" : errnoName(error);
}

/** On what the end waits, where a warden's answer says more than an errno. */
export function obstacleOf({ method, probe }: RevokedEntry): string | null {
  return method === "last-reference" && probe > 0 ? heldWords(probe) : null;
}

/** What the look afterwards saw. A mapping that fails proves nothing where none ever worked. */
function probeOf(method: Method, { probe }: RevokedEntry, { mappable }: Capability): string {
  if (method === "never-exported") return "no export";
  if (method === "ftruncate") return `size ${probe}`;
  if (method === "device-close") return "the device could be opened anew";
  if (method === "last-reference") return "nobody else refers to it";
  return mappable ? `mmap ${errnoName(probe)}` : "exports cannot be mapped here";
}

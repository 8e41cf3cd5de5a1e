import { readFileSync } from "node:fs";
import type { Proof } from "@lendbuf/shared/delegation";

/** Others have it still: its end is no matter of force. */
export class StillHeld extends Error {
  readonly code = "EBUSY";
  readonly others: number;

  constructor(others: number) {
    super(heldWords(others));
    this.others = others;
  }
}

/** On what the end of an export waits that nothing takes back. */
export function heldWords(others: number): string {
  const remain = others === 1 ? "1 reference to it remains" : `${others} references to it remain`;
  return `${remain}: nothing takes it back by force; it ends when its holders let go`;
}

/**
 * Proves the end of a dma-buf whose warden has died, where the agent's copy is the last reference: the kernel counts descriptors,
 * mappings and importers alike (`count` of dma_buf_show_fdinfo, Linux 5.3). Rejects with StillHeld.
 */
export async function cutByLastReference(fd: number): Promise<Proof> {
  const count = /^count:\t(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, "utf8"))?.[1];
  if (count === undefined) throw new Error(`the kernel does not count who has descriptor ${fd}`);
  if (count !== "1") throw new StillHeld(Number(count) - 1);
  const probe = "nobody else refers to it";
  return { method: "last-reference", scope: "none", by: "agent", answer: "0", probe, durationUs: null };
}

import { closeSync, constants, fstatSync, ftruncate, openSync } from "node:fs";
import { promisify } from "node:util";
import type { Proof } from "@lendbuf/shared/delegation";

const truncate = promisify(ftruncate);

/** Cuts a memfd through the agent's own copy, for when the warden that made it has died. Off the event loop: a large one takes its time. */
export async function cutByTruncation(fd: number): Promise<Proof> {
  const start = performance.now();
  // Opened anew: the copy of a read-only export is not open for writing, and ftruncate answers EINVAL to it.
  const writable = openSync(`/proc/self/fd/${fd}`, constants.O_RDWR);
  try {
    await truncate(writable, 0);
    const durationUs = Math.round((performance.now() - start) * 1000);
    const { size } = fstatSync(writable);
    if (size !== 0) throw new Error(`ftruncate answered 0, yet the size is ${size}`);
    return { method: "ftruncate", scope: "buffer", by: "agent", answer: "0", probe: "size 0", durationUs };
  } finally {
    closeSync(writable);
  }
}

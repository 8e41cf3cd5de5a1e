import type { BufferDefinition } from "@lendbuf/shared/buffer";
import type { Buffer } from "../buffers/buffer.ts";

/** Of accesses to memory of which nobody said which width it needs. */
const USUAL_WIDTH = 32;

/** Only ever read, nobody leaves anything in it. */
export function isScrubbed({ scrub, share }: BufferDefinition): boolean {
  return scrub !== "none" && share === "exclusive";
}

/** Writes over what a borrower left. Rejects with what the warden answered, or DEVICE_LOST. */
export async function scrub({ definition, device }: Buffer): Promise<{ bytes: number; checked: number }> {
  const { region, ranges, scrub: how } = definition;
  const { pattern, width } = typeof how === "object" ? how : { pattern: "0x0", width: USUAL_WIDTH };
  const checked = await device.readyWarden().scrub({ region, ranges, word: BigInt(pattern), width });
  return { bytes: ranges.reduce((sum, { length }) => sum + length, 0), checked };
}

import type { Input } from "@lendbuf/shared/api";
import { parseDuration } from "@lendbuf/shared/duration";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { CallOptions } from "./calls.ts";
import { StillTaken } from "./errors.ts";

type BorrowInput = Input<"delegations.borrow">;

/** What setTimeout can count. */
const LONGEST_WAIT_MS = 2 ** 31 - 1;

/** How to borrow. Durations are words as on the command line: "15m", "1h30m", "2d". What is left out is the agent's to choose. */
export interface BorrowTerms extends CallOptions {
  /** How long the lease is. */
  for?: string | undefined;
  readOnly?: boolean | undefined;
  /** Others who share may have it meanwhile. */
  shared?: boolean | undefined;
  /** It outlives the connection: claim it again. */
  keep?: boolean | undefined;
  /** Stand in line where it is taken: without a limit, or so long, and then StillTaken. */
  wait?: boolean | string | undefined;
  purpose?: string | undefined;
  exporter?: Exporter | undefined;
}

export function borrowInput(buffer: string, terms: BorrowTerms): BorrowInput {
  return {
    buffer,
    ...(terms.readOnly !== undefined && { access: terms.readOnly ? "read-only" : "read-write" }),
    ...(terms.shared !== undefined && { share: terms.shared ? "shared" : "exclusive" }),
    ...(terms.for !== undefined && { leaseMs: milliseconds(terms.for) }),
    ...(terms.keep !== undefined && { keep: terms.keep }),
    ...(terms.wait && { wait: true }),
    ...(terms.purpose !== undefined && { purpose: terms.purpose }),
    ...(terms.exporter !== undefined && { exporter: terms.exporter }),
  };
}

/** Runs it with a signal that also ends when the time to stand in line is over; rejects with StillTaken then. */
export async function inPatience<T>(
  buffer: string,
  { wait, signal }: BorrowTerms,
  borrow: (options: CallOptions) => Promise<T>,
): Promise<T> {
  if (typeof wait !== "string") return borrow({ signal });
  const waitMs = milliseconds(wait);
  if (waitMs > LONGEST_WAIT_MS) throw new RangeError(`wait: "${wait}" is more than 24 days. Write true for no limit.`);
  const over = AbortSignal.timeout(waitMs);
  try {
    return await borrow({ signal: signal ? AbortSignal.any([signal, over]) : over });
  } catch (error) {
    if (!over.aborted || error !== over.reason) throw error;
    throw new StillTaken(`${buffer} is still taken after ${wait}, and the place in line was given up. Wait longer.`);
  }
}

/** Throws RangeError where it is no duration, or less than a millisecond. */
export function milliseconds(duration: string): number {
  const ms = typeof duration === "string" ? parseDuration(duration) : undefined;
  if (!ms) throw new RangeError(`${JSON.stringify(duration)} is no time to come. Write "15m", "1h30m" or "2d".`);
  return ms;
}

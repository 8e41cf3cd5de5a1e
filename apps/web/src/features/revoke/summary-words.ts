import type { RevokeSummary } from "@lendbuf/shared/api";

/** How a panic went. */
export function summaryWords({ revoked, cancelled, remaining, durationMs }: RevokeSummary): string {
  const rest = remaining === 0 ? "Nothing remains." : `${remaining} not confirmed by the kernel yet.`;
  return `${count(revoked, "delegation")} revoked, ${cancelled} cancelled in ${durationMs.toFixed(1)} ms. ${rest}`;
}

export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}

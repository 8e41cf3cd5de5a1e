const FACTORS: Record<string, number> = { "": 1, b: 1, kib: 2 ** 10, mib: 2 ** 20, gib: 2 ** 30, tib: 2 ** 40 };
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

/** "64 KiB", "1.5 MiB", "100 B". */
export function formatSize(bytes: number): string {
  const power = bytes < 1024 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${Number.isInteger(value) ? value : value.toFixed(1)} ${UNITS[power]}`;
}

/** Bytes of "4096", "0x1000", "4KiB" or "1.5 MiB"; undefined where it is no size, or more than can be counted. */
export function parseSize(text: string): number | undefined {
  if (/^0x[0-9a-f]+$/i.test(text)) return safe(Number(text));
  const [, digits, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = FACTORS[unit?.toLowerCase() ?? "?"];
  return factor === undefined ? undefined : safe(Number(digits) * factor);
}

function safe(bytes: number): number | undefined {
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

import { formatSize } from "@lendbuf/shared/size";

/** "64 KiB"; the exact bytes on hover. */
export function Size({ bytes }: { bytes: number }) {
  return (
    <span title={`${bytes.toLocaleString("en-US")} bytes`} className="whitespace-nowrap">
      {formatSize(bytes)}
    </span>
  );
}

/** "0x0010_0000": in groups of four, as long as it must be. */
export function formatHex(value: number): string {
  const digits = value.toString(16);
  const padded = digits.padStart(Math.max(8, Math.ceil(digits.length / 4) * 4), "0");
  return `0x${padded.replaceAll(/(?=(?:.{4})+$)(?!^)/g, "_")}`;
}

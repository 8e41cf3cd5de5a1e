"use client";
import { memo, useRef } from "react";
import { useMedia } from "../../ui/use-media.ts";
import type { Memory } from "./use-contents.ts";

/** As long a byte that has changed stays lit. */
const LIT_MS = 500;

/** Bytes in rows, with their address and as text; those that have just changed are lit. */
export function Hex({ memory }: { memory: Memory }) {
  const perRow = useMedia("(min-width: 60rem)") ? 16 : 8;
  const changedAt = useChanges(memory);
  const rows = [];
  for (let start = 0; start < memory.bytes.length; start += perRow) {
    const end = Math.min(start + perRow, memory.bytes.length);
    let lit = "";
    for (let at = start; at < end; at++) lit += memory.at - changedAt[at]! < LIT_MS ? "1" : "0";
    rows.push(<HexRow key={start} address={memory.offset + start} bytes={hexOf(memory.bytes, start, end)} lit={lit} />);
  }
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <div role="group" aria-label="Bytes" tabIndex={0} className="code overflow-x-auto py-1 leading-5">
      {rows}
    </div>
  );
}

interface HexRowProps {
  address: number;
  /** Two digits a byte. */
  bytes: string;
  /** A digit a byte: whether it is lit. */
  lit: string;
}

const HexRow = memo(function HexRow({ address, bytes, lit }: HexRowProps) {
  return (
    <div className="flex w-max gap-x-4 wide:gap-x-6">
      <span className="text-muted">{address.toString(16).padStart(8, "0")}</span>
      <span className="whitespace-pre">
        {runsOf(lit).map(({ start, end, isLit }) => (
          <span key={start} className={isLit ? "bg-lit" : undefined}>
            {digits(bytes, start, end, lit.length)}
          </span>
        ))}
      </span>
      <span className="hidden whitespace-pre text-muted wide:inline">{text(bytes)}</span>
    </div>
  );
});

/** When each byte was last seen to change. */
function useChanges(memory: Memory): Float64Array {
  const seen = useRef<{ memory: Memory; changedAt: Float64Array } | undefined>(undefined);
  const before = seen.current;
  if (before?.memory === memory) return before.changedAt;
  const isSamePlace = before?.memory.offset === memory.offset && before.memory.bytes.length === memory.bytes.length;
  const changedAt = isSamePlace
    ? before.changedAt
    : new Float64Array(memory.bytes.length).fill(Number.NEGATIVE_INFINITY);
  if (isSamePlace)
    for (let at = 0; at < memory.bytes.length; at++)
      if (memory.bytes[at] !== before.memory.bytes[at]) changedAt[at] = memory.at;
  seen.current = { memory, changedAt };
  return changedAt;
}

function hexOf(bytes: Uint8Array, start: number, end: number): string {
  let hex = "";
  for (let at = start; at < end; at++) hex += bytes[at]!.toString(16).padStart(2, "0");
  return hex;
}

function runsOf(lit: string): { start: number; end: number; isLit: boolean }[] {
  return [...lit.matchAll(/0+|1+/g)].map(({ index, 0: run }) => ({
    start: index,
    end: index + run.length,
    isLit: run[0] === "1",
  }));
}

/** The digits of some bytes of a row, spaced: in the middle of a row a little more. */
function digits(bytes: string, start: number, end: number, perRow: number): string {
  let spaced = "";
  for (let at = start; at < end; at++) {
    spaced += bytes.slice(2 * at, 2 * at + 2);
    if (at + 1 < perRow) spaced += at + 1 === perRow / 2 ? "  " : " ";
  }
  return spaced;
}

function text(bytes: string): string {
  return [...bytes.matchAll(/../g)]
    .map(([byte]) => Number.parseInt(byte, 16))
    .map((code) => (code > 0x1f && code < 0x7f ? String.fromCharCode(code) : "·"))
    .join("");
}

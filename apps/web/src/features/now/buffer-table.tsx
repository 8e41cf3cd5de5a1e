"use client";
import { exporterOf } from "@lendbuf/shared/device";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState } from "react";
import { Moment } from "../../ui/moment.tsx";
import { useMedia } from "../../ui/use-media.ts";
import { capabilityWords } from "../delegation/end-words.ts";
import { StateMark } from "../delegation/state-mark.tsx";
import { useShortcut } from "../keyboard/shortcuts.ts";
import { BufferRowView, COLUMNS, HolderRowView } from "./buffer-row.tsx";
import type { DeviceRow, Row } from "./rows.ts";

const HEADINGS = ["State", "Buffer", "Who", "Access", "Time", ""];

/** The rows in sight, and as much space as all of them take. */
export function BufferTable({ rows, empty }: { rows: readonly Row[]; empty: string }) {
  const isWide = useMedia("(min-width: 60rem)");
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  // What is above grows and shrinks.
  useLayoutEffect(() => {
    const measure = () => setTop(body.current?.offsetTop ?? 0);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: rows.length,
    estimateSize: (index) => (rows[index]!.kind === "device" ? 36 : isWide ? 53 : 116),
    getItemKey: (index) => rows[index]!.key,
    overscan: 8,
    scrollMargin: top,
    scrollPaddingStart: 80,
    scrollPaddingEnd: 40,
  });
  const move = useRowFocus(rows, (index) => virtual.scrollToIndex(index, { align: "auto" }));
  useShortcut("j", () => move(1));
  useShortcut("k", () => move(-1));

  return (
    <div role="table" aria-label="Buffers" aria-rowcount={rows.length + 1}>
      <div role="rowgroup" className="sticky top-11 z-10 hidden border-b bg-paper wide:block">
        <div role="row" aria-rowindex={1} className={`eyebrow grid gap-x-4 px-4 py-1.5 ${COLUMNS}`}>
          {HEADINGS.map((heading) => (
            <span role="columnheader" key={heading}>
              {heading || <span className="sr-only">Actions</span>}
            </span>
          ))}
        </div>
      </div>
      <div role="rowgroup" ref={body} className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, key, start }) => (
          <div
            key={key}
            role="row"
            aria-rowindex={index + 2}
            data-index={index}
            ref={virtual.measureElement}
            className="absolute inset-x-0 top-0"
            style={{ transform: `translateY(${start - top}px)` }}
          >
            <RowView row={rows[index]!} />
          </div>
        ))}
      </div>
      {rows.length === 0 && (
        <p role="status" className="px-4 py-8 text-muted">
          {empty}
        </p>
      )}
    </div>
  );
}

function RowView({ row }: { row: Row }) {
  if (row.kind === "device") return <DeviceHeading row={row} />;
  return row.kind === "buffer" ? <BufferRowView row={row} /> : <HolderRowView row={row} />;
}

function DeviceHeading({ row: { name, device, count } }: { row: DeviceRow }) {
  const usual = device && exporterOf(device);
  return (
    <div role="cell" aria-colspan={HEADINGS.length} className="flex items-baseline gap-3 border-b bg-sunken px-4 py-2">
      <h2 className="code shrink-0 font-semibold">{name}</h2>
      <span className="shrink-0 text-muted">{count === 1 ? "1 buffer" : `${count} buffers`}</span>
      {device && device.state !== "ready" ? (
        <span className="flex min-w-0 gap-2">
          <StateMark state="lost" /> <span className="truncate">{device.problem ?? device.state}</span>
        </span>
      ) : (
        device && (
          <>
            {device.suspended && <StateMark state="suspended" />}
            {device.drained && (
              <span className="shrink-0 text-revoking">
                Drained
                {device.drained.until !== null && (
                  <>
                    , lent again <Moment at={device.drained.until} />
                  </>
                )}
                : {device.drained.reason}
              </span>
            )}
            <span className="truncate text-muted" title={usual?.detail}>
              {device.description}
              {usual && `. ${capabilityWords(usual)}`}
            </span>
          </>
        )
      )}
    </div>
  );
}

/** Moves the focus from row to row, also to those that are not rendered yet. */
function useRowFocus(rows: readonly Row[], scrollTo: (index: number) => void) {
  const wanted = useRef<number | undefined>(undefined);
  const focus = () => {
    const link = document.querySelector<HTMLElement>(`[data-index="${wanted.current}"] [data-row-link]`);
    if (!link) return false;
    link.focus();
    wanted.current = undefined;
    return true;
  };
  return (step: 1 | -1) => {
    const current = document.activeElement?.closest<HTMLElement>("[data-index]")?.dataset.index;
    let index = wanted.current ?? (current === undefined ? (step > 0 ? -1 : rows.length) : Number(current));
    do index += step;
    while (rows[index]?.kind === "device");
    if (!rows[index]) return;
    wanted.current = index;
    scrollTo(index);
    if (focus()) return;
    let frames = 0;
    const again = () => {
      if (!focus() && frames++ < 20) requestAnimationFrame(again);
    };
    requestAnimationFrame(again);
  };
}

"use client";
import { harmless } from "@lendbuf/shared/harmless";
import type { DmaBuf } from "@lendbuf/shared/holder";
import Link from "next/link";
import type { ReactNode } from "react";
import { Size } from "../../ui/size.tsx";
import { useLive } from "../connection/live.tsx";
import { HolderLine } from "../holders/holder-line.tsx";

const ONLY_MAPPED = "Only mappings of it can be seen, and those do not tell.";

export function DmaBufTable({ dmaBufs }: { dmaBufs: readonly DmaBuf[] }) {
  return (
    <table aria-label="DMA-BUFs" className="w-full text-left">
      <thead className="eyebrow hidden wide:table-header-group">
        <tr className="border-b [&>th]:px-4 [&>th]:py-1.5 [&>th]:font-normal">
          <th>Buffer</th>
          <th>Exporter</th>
          <th className="text-right!">Size</th>
          <th className="text-right!">References</th>
          <th>Held by</th>
          <th>Attached devices</th>
        </tr>
      </thead>
      <tbody>
        {dmaBufs.map((dmaBuf) => (
          <Row key={dmaBuf.inode} dmaBuf={dmaBuf} />
        ))}
      </tbody>
    </table>
  );
}

function Row({
  dmaBuf: { inode, name, exporter, size, count, unseen, holders, total, attachments, delegation },
}: {
  dmaBuf: DmaBuf;
}) {
  return (
    <tr className="grid gap-x-4 border-b px-4 py-2 wide:table-row wide:[&>td]:px-4 wide:[&>td]:py-2 wide:[&>td]:align-top">
      <td className="min-w-0">
        <span className="code font-medium wrap-anywhere">
          {name === null ? <span className="text-muted">no name</span> : harmless(name)}
        </span>
        <span className="block text-muted">
          inode <span className="code">{inode}</span>
          {delegation !== null && <Ours delegation={delegation} />}
        </span>
      </td>
      <Cell label="Exporter">
        {exporter ? <span className="code wrap-anywhere">{exporter}</span> : <Unknown why={ONLY_MAPPED} />}
      </Cell>
      <Cell label="Size" className="wide:text-right">
        {size === null ? <Unknown why={ONLY_MAPPED} /> : <Size bytes={size} />}
      </Cell>
      <Cell label="References" className="wide:text-right">
        {count ?? <Unknown why={ONLY_MAPPED} />}
      </Cell>
      <td className="min-w-0">
        {holders.map((holder) => (
          <HolderLine key={holder.pid} holder={holder} />
        ))}
        {total > holders.length && <span className="block text-muted">and {total - holders.length} more</span>}
        {unseen !== null && unseen > 0 && (
          <span
            className="block text-muted"
            title="In flight in a socket, of importers in the kernel, or of processes that could not be looked at"
          >
            {unseen} {unseen === 1 ? "reference" : "references"} of nobody that can be seen
          </span>
        )}
      </td>
      <Cell label="Attached devices">
        {attachments === null && <Unknown why="Only debugfs tells, and it cannot be read." />}
        {attachments?.length === 0 && <span className="text-muted">none</span>}
        {attachments && <span className="code wrap-anywhere">{attachments.join(", ")}</span>}
      </Cell>
    </tr>
  );
}

/** Where the columns are not side by side each says what it is. */
function Cell({ label, className, children }: { label: string; className?: string; children: ReactNode }) {
  return (
    <td className={className}>
      <span aria-hidden className="text-muted wide:hidden">
        {label}:{" "}
      </span>
      {children}
    </td>
  );
}

/** An export of ours: which delegation's. */
function Ours({ delegation }: { delegation: number }) {
  const { delegations } = useLive();
  const buffer = delegations?.items.find(({ id }) => id === delegation)?.buffer;
  return (
    <>
      , delegation <span className="code">{delegation}</span>
      {buffer && (
        <>
          {" "}
          of{" "}
          <Link prefetch={false} href={`/buffers?id=${buffer}`} className="link code">
            {buffer}
          </Link>
        </>
      )}
    </>
  );
}

function Unknown({ why }: { why: string }) {
  return (
    <span className="text-muted" title={why}>
      not known
    </span>
  );
}

"use client";
import { harmless } from "@lendbuf/shared/harmless";
import type { DmaBuf } from "@lendbuf/shared/holder";
import Link from "next/link";
import { Size } from "../../ui/size.tsx";
import { useLive } from "../connection/live.tsx";
import { HolderLine } from "../holders/holder-line.tsx";

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
      <td className="code wrap-anywhere">{exporter ?? <Unknown why="Only mappings of it can be seen." />}</td>
      <td className="wide:text-right">
        {size === null ? <Unknown why="Only mappings of it can be seen." /> : <Size bytes={size} />}
      </td>
      <td className="wide:text-right">
        {count ?? <Unknown why="Only mappings of it can be seen." />}
        <span className="wide:sr-only"> references</span>
      </td>
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
      <td className="code wrap-anywhere">
        {attachments === null ? <Unknown why="Only debugfs tells, and it cannot be read." /> : attachments.join(", ")}
      </td>
    </tr>
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
    <span className="font-sans text-muted" title={why}>
      not known
    </span>
  );
}

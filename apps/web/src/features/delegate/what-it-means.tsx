"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import { type Capability, exporterOf } from "@lendbuf/shared/device";
import type { Exporter } from "@lendbuf/shared/exporter";
import { formatHex, Size } from "../../ui/size.tsx";
import { useLive } from "../connection/live.tsx";
import { capabilityWords, scrubWords } from "../delegation/end-words.ts";

const EXPORTS: Record<Exporter, string> = {
  memfd: "memfd",
  vfio: "dma-buf",
  staged: "window, whose bytes are copied when its holder asks for it",
  udmabuf: "dma-buf of fresh system memory",
  "dma-heap": "dma-buf of fresh system memory",
};

/** What a borrower finds in it. */
function contentsWords(capability: Capability | null | undefined, { scrub }: BufferView): string {
  if (capability?.exporter === "staged") return ", and which starts as zeros";
  if (capability?.works && capability.scope === "none") return ", all zeros";
  return scrub === "none" ? ", with what the last borrower left in it" : `, ${scrubWords(scrub)} before`;
}

/** What will be exported, how it can be taken back here, and what that would cost others. */
export function WhatItMeans({ buffer, exporter }: { buffer: BufferView; exporter: Exporter | null }) {
  const { status, delegations } = useLive();
  const device = status?.devices.find(({ name }) => name === buffer.device);
  const capability = device && exporterOf(device, exporter);
  const others = delegations?.items.filter((it) => it.device === buffer.device && it.state === "active").length ?? 0;
  return (
    <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 border-l-2 pl-3">
      <dt className="text-muted">Exports</dt>
      <dd>
        <Size bytes={buffer.size} /> of <span className="code">{buffer.device}</span>, BAR {buffer.region} at{" "}
        <span className="code">{buffer.ranges.map(({ offset }) => formatHex(offset)).join(", ")}</span>
        {capability && ` as a ${EXPORTS[capability.exporter]}`}
        {contentsWords(capability, buffer)}
      </dd>
      <dt className="text-muted">Back</dt>
      <dd>{capability ? capabilityWords(capability) : "Not known: the device has not been tested yet."}</dd>
      <dt className="text-muted">Costs</dt>
      <dd>
        {capability?.scope === "device"
          ? `Revoking it would end ${others === 0 ? "nothing else right now" : `the ${others} others that are lent of the device now`}.`
          : "Revoking it touches nobody else."}{" "}
        What was copied out of the memory stays copied.
      </dd>
    </dl>
  );
}

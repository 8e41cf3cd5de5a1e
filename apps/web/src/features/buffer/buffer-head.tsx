"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import { exporterOf } from "@lendbuf/shared/device";
import { ChevronLeft } from "lucide-react";
import Link from "next/link";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { formatHex, Size } from "../../ui/size.tsx";
import { useActions } from "../actions/actions.tsx";
import { useLive } from "../connection/live.tsx";
import { capabilityWords, scrubWords } from "../delegation/end-words.ts";
import { Held } from "./held.tsx";

/** What a buffer is, and where in the hardware. */
export function BufferHead({ buffer }: { buffer: BufferView }) {
  const { name, description, device, region, ranges, size, share, scrub, tags } = buffer;
  const { status } = useLive();
  const { delegate, isPossible } = useActions();
  const its = status?.devices.find((it) => it.name === device);
  const capability = its && exporterOf(its);
  return (
    <div className="border-b px-4 pt-3 pb-4">
      <Link prefetch={false} href="/" className="-ml-1 inline-flex items-center text-muted hover:text-ink">
        <ChevronLeft size={14} aria-hidden />
        All buffers
      </Link>
      <div className="mt-2 flex flex-wrap items-center gap-x-3 gap-y-2">
        <h1 className="code text-lg font-medium">{name}</h1>
        <CopyButton text={name} what="the buffer's name" />
        <Button
          className="ml-auto"
          disabled={!isPossible}
          shortcut="d"
          onClick={() => delegate(buffer)}
          aria-label={`Delegate ${name}`}
        >
          Delegate
        </Button>
      </div>
      <Held name={name} held={buffer.held} />
      {description && <p className="text-muted">{description}</p>}
      <dl className="mt-3 flex flex-wrap gap-x-10 gap-y-2">
        <Fact name="Size">
          <Size bytes={size} />
        </Fact>
        <Fact name="Where">
          <span className="code">{device}</span>, BAR {region}
        </Fact>
        <Fact name={ranges.length === 1 ? "Range" : "Ranges"}>
          {ranges.map(({ offset, length }) => (
            <span
              key={offset}
              className="code block whitespace-nowrap"
              title={`${length.toLocaleString("en-US")} bytes`}
            >
              {formatHex(offset)}–{formatHex(offset + length - 1)}
            </span>
          ))}
        </Fact>
        <Fact name="May be lent">
          {share === "exclusive" ? "to one writer, or to many readers" : "to readers only"}
        </Fact>
        <Fact name="Before the next">{scrubWords(scrub)}</Fact>
        {tags.length > 0 && <Fact name="Tags">{tags.map((tag) => `#${tag}`).join(" ")}</Fact>}
        {capability && <Fact name="Back">{capabilityWords(capability)}</Fact>}
      </dl>
    </div>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt className="eyebrow">{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

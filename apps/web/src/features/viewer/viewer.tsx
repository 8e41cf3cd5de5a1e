"use client";
import type { BufferView } from "@lendbuf/shared/buffer";
import { ChevronLeft, ChevronRight, ChevronsLeft, ChevronsRight } from "lucide-react";
import dynamic from "next/dynamic";
import { type FormEvent, useEffect, useState } from "react";
import { Button } from "../../ui/button.tsx";
import { Choice, TextInput } from "../../ui/field.tsx";
import { formatMoment } from "../../ui/moment.tsx";
import { Problem } from "../../ui/problem.tsx";
import { formatHex } from "../../ui/size.tsx";
import { useSearchParam } from "../../ui/use-search-param.ts";
import { Hex } from "./hex.tsx";
import { useContents } from "./use-contents.ts";

const Waveform = dynamic(() => import("./waveform.tsx"), { ssr: false });

const HEX_BYTES = 256;
const WAVE_BYTES = 2048;

/** A buffer's memory as it is: read by the agent, whoever has it. */
export function Viewer({ buffer }: { buffer: BufferView }) {
  const [viewParam, setView] = useSearchParam("view");
  const [atParam, setAt] = useSearchParam("at");
  const [isHeld, setHeld] = useState(false);
  const isWave = viewParam === "wave";
  const length = Math.min(buffer.size, isWave ? WAVE_BYTES : HEX_BYTES);
  const last = Math.max(0, buffer.size - length);
  const offset = Math.min(last, parseOffset(atParam) ?? 0);
  const { memory, problem } = useContents(buffer.name, offset, length, isHeld);
  const go = (to: number) => {
    const next = Math.max(0, Math.min(last, to - (to % 16)));
    setAt(next === 0 ? "" : `0x${next.toString(16)}`);
  };
  const shown = memory && memory.bytes.length > 0 ? memory : undefined;

  return (
    <section aria-labelledby="memory" className="border-b px-4 py-4">
      <div className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2">
        <h2 id="memory" className="mr-2 self-center text-base font-medium">
          Memory
        </h2>
        <Choice
          legend="Shown as"
          isLegendHidden
          value={isWave ? "wave" : "hex"}
          options={[
            { value: "hex", label: "Hex" },
            { value: "wave", label: "Waveform" },
          ]}
          onChange={(view) => setView(view === "wave" ? "wave" : "")}
        />
        <div className="flex items-center gap-0.5">
          <Step label="To the beginning" disabled={offset === 0} onClick={() => go(0)}>
            <ChevronsLeft size={16} aria-hidden />
          </Step>
          <Step label="Back" disabled={offset === 0} onClick={() => go(offset - length)}>
            <ChevronLeft size={16} aria-hidden />
          </Step>
          <OffsetField key={offset} offset={offset} onGo={go} />
          <Step label="On" disabled={offset >= last} onClick={() => go(offset + length)}>
            <ChevronRight size={16} aria-hidden />
          </Step>
          <Step label="To the end" disabled={offset >= last} onClick={() => go(last)}>
            <ChevronsRight size={16} aria-hidden />
          </Step>
        </div>
        <Button aria-pressed={isHeld} onClick={() => setHeld(!isHeld)}>
          {isHeld ? "Go on" : "Hold"}
        </Button>
        <span className="self-center text-muted">
          {problem ? "not read" : isHeld ? "held" : "live"}
          {shown && <>, as of {<time title={formatMoment(shown.at)}>{clockTime(shown.at)}</time>}</>}
        </span>
      </div>
      {problem && (
        <div className="mb-3">
          <Problem>Nothing is read: {problem}</Problem>
        </div>
      )}
      <div className={problem ? "opacity-60" : undefined}>
        {shown && (isWave ? <Waveform memory={shown} /> : <Hex memory={shown} />)}
        {!shown && !problem && <p className="text-muted">Reading…</p>}
      </div>
    </section>
  );
}

function Step({ label, ...rest }: { label: string } & React.ComponentProps<"button">) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className="rounded-sm p-1 text-muted hover:bg-hover hover:text-ink disabled:pointer-events-none disabled:opacity-40"
      {...rest}
    />
  );
}

function OffsetField({ offset, onGo }: { offset: number; onGo(offset: number): void }) {
  const [typed, setTyped] = useState(formatHex(offset));
  const wanted = parseOffset(typed);
  useEffect(() => setTyped(formatHex(offset)), [offset]);
  return (
    <form
      onSubmit={(event: FormEvent) => {
        event.preventDefault();
        if (wanted !== undefined) onGo(wanted);
      }}
    >
      <TextInput
        aria-label="Offset"
        title="Offset in the buffer, hex; Enter goes there"
        aria-invalid={wanted === undefined}
        isLow
        className="code w-28 text-center"
        value={typed}
        onChange={(event) => setTyped(event.target.value)}
      />
    </form>
  );
}

/** Hex, with or without 0x and underscores. */
function parseOffset(text: string): number | undefined {
  const digits = text.trim().replace(/^0x/i, "").replaceAll("_", "");
  return /^[0-9a-f]{1,12}$/i.test(digits) ? Number.parseInt(digits, 16) : undefined;
}

function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

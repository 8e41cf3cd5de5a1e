"use client";
import { type Device, exporterOf } from "@lendbuf/shared/device";
import Link from "next/link";
import type { ReactNode } from "react";
import { Moment } from "../../ui/moment.tsx";
import { useLive } from "../connection/live.tsx";
import type { StateWord } from "../delegation/state-mark.tsx";
import type { BufferRow } from "./rows.ts";

/** The host, how it takes memory back, and how much of it is lent. */
export function HostFacts({ rows }: { rows: readonly BufferRow[] }) {
  const { status } = useLive();
  if (!status) return <p className="border-b px-4 py-3 text-muted">Asking the agent…</p>;
  const { counts, devices } = status;
  const next = nextEnd(rows);
  const count = (state: StateWord) => (rows.length > 0 ? rows.filter((row) => row.state === state).length : "–");
  return (
    <dl className="grid grid-cols-3 gap-x-6 gap-y-3 border-b px-4 py-3 wide:flex wide:gap-x-10">
      <Fact name="Buffers lent" strong>
        <span title={`${counts.lent} delegations`}>{count("lent")}</span>
      </Fact>
      <Fact name="Offered" strong>
        {count("offered")}
      </Fact>
      <Fact name="Free" strong>
        {count("free")}
      </Fact>
      <Fact name="Waiting in line" strong>
        {counts.waiting}
      </Fact>
      <Fact name="Ends next" className="col-span-2">
        {next ? (
          <>
            <Link prefetch={false} href={`/buffers?id=${next.buffer.name}`} className="link code">
              {next.buffer.name}
            </Link>{" "}
            <Moment at={next.expiresAt!} />
          </>
        ) : (
          <span className="text-muted">nothing</span>
        )}
      </Fact>
      <Fact name="Takes back by" className="col-span-3">
        {byMethod(devices).map(({ words, names, detail }) => (
          <span key={words} className="mr-3 inline-block" title={detail}>
            <span className="code">{names}</span> <span className="text-muted">{words}</span>
          </span>
        ))}
      </Fact>
      <Fact name="Host" className="col-span-3 wide:ml-auto">
        <span className="code">{status.host}</span>{" "}
        <span className="text-muted" title={`Boot ${status.bootId}; agent ${status.version}, pid ${status.pid}`}>
          Linux {status.kernel}
        </span>
      </Fact>
    </dl>
  );
}

/** A line for each way, with the devices that it serves. */
function byMethod(devices: readonly Device[]): { words: string; names: string; detail: string }[] {
  const groups = new Map<string, Device[]>();
  for (const device of devices) {
    const { method, scope } = exporterOf(device) ?? { method: null, scope: "none" };
    const words = method ? `${method}, ${SCOPES[scope]}` : "not tested, or in vain";
    groups.set(words, [...(groups.get(words) ?? []), device]);
  }
  return [...groups].map(([words, its]) => ({
    words,
    names: its.length > MAX_NAMED ? `${its.length} devices` : its.map(({ name }) => name).join(", "),
    detail: its.map((device) => `${device.name}: ${exporterOf(device)?.detail ?? "not tested yet"}`).join("\n"),
  }));
}

const MAX_NAMED = 2;

const SCOPES = { buffer: "one buffer at a time", device: "all of the device at once", none: "not by force" };

function nextEnd(rows: readonly BufferRow[]): BufferRow | undefined {
  let next: BufferRow | undefined;
  for (const row of rows)
    if (row.expiresAt !== null && row.state === "lent" && row.expiresAt < (next?.expiresAt ?? Number.POSITIVE_INFINITY))
      next = row;
  return next;
}

function Fact({
  name,
  strong = false,
  className = "",
  children,
}: {
  name: string;
  strong?: boolean;
  className?: string;
  children: ReactNode;
}) {
  return (
    <div className={`min-w-0 ${className}`}>
      <dt className="eyebrow">{name}</dt>
      <dd className={strong ? "text-lg font-medium" : "min-h-6 content-center"}>{children}</dd>
    </div>
  );
}

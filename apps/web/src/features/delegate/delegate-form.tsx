"use client";
import { ACCOUNT } from "@lendbuf/shared/account";
import type { Input } from "@lendbuf/shared/api";
import type { BufferView } from "@lendbuf/shared/buffer";
import type { Access, Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Exporter } from "@lendbuf/shared/exporter";
import { mayTouchOthers } from "@lendbuf/shared/permissions";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useAnnounce } from "../../ui/announcer.tsx";
import { Button } from "../../ui/button.tsx";
import { CheckBox, Choice, Field, TextInput } from "../../ui/field.tsx";
import { formatMoment } from "../../ui/moment.tsx";
import { useNow } from "../../ui/now.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useIsInTouch } from "../connection/connection-provider.tsx";
import { useLive } from "../connection/live.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { execLine } from "./lines-to-paste.ts";
import { WhatItMeans } from "./what-it-means.tsx";

const LEASES = [
  { value: "900000", label: "15 min" },
  { value: "3600000", label: "1 h" },
  { value: "14400000", label: "4 h" },
  { value: "until", label: "Until…" },
] as const;
type Lease = (typeof LEASES)[number]["value"];

export function DelegateForm({ buffer, onMade }: { buffer: BufferView; onMade(made: Delegation): void }) {
  const trpc = useTRPC();
  const { me, status, occupancy } = useLive();
  const now = useNow();
  const announce = useAnnounce();
  const isInTouch = useIsInTouch();
  const mayChoose = mayTouchOthers(me?.role ?? null, "delegations.request");
  const isOnlyRead = buffer.share === "shared";
  const [whom, setWhom] = useState<"me" | "other">("me");
  const [account, setAccount] = useState("");
  const [access, setAccess] = useState<Access>(isOnlyRead ? "read-only" : "read-write");
  const [lease, setLease] = useState<Lease>("3600000");
  const [until, setUntil] = useState(() => localTime(Date.now() + 2 * 3_600_000));
  const [wait, setWait] = useState(false);
  const [keep, setKeep] = useState(false);
  const [purpose, setPurpose] = useState("");
  const [exporter, setExporter] = useState<Exporter>();
  const device = status?.devices.find(({ name }) => name === buffer.device);
  const working = device?.exporters.filter(({ works }) => works) ?? [];
  const request = useMutation(
    trpc.delegations.request.mutationOptions({
      onSuccess(made) {
        announce(`Delegation ${made.id} of ${made.buffer} is ${made.state}.`);
        onMade(made);
      },
    }),
  );

  const untilAt = new Date(until).getTime();
  const leaseMs = lease === "until" ? Math.round(untilAt - now) : Number(lease);
  const isTaken = occupancy?.items.some(({ name, state }) => name === buffer.name && state !== "free") ?? false;
  const problem = !(leaseMs > 0)
    ? "That time is over: pick one to come."
    : whom === "other" && !ACCOUNT.test(account)
      ? "Whose? Name an account, such as alice, or uid:1000."
      : undefined;

  function submit(event: FormEvent) {
    event.preventDefault();
    if (problem) return;
    request.mutate({
      buffer: buffer.name,
      access,
      leaseMs,
      wait,
      keep,
      purpose: purpose.trim() || null,
      exporter: exporter ?? null,
      ...(whom === "other" && { account }),
    } satisfies Input<"delegations.request">);
  }

  return (
    <form onSubmit={submit} className="grid gap-4">
      <div className="grid gap-2">
        <Choice
          legend="For whom"
          value={whom}
          onChange={setWhom}
          options={[
            { value: "me", label: me ? `Me (${me.account})` : "Me" },
            {
              value: "other",
              label: "Somebody else",
              disabled: !mayChoose,
              title: mayChoose ? "An account, or uid:1000" : "Only an operator may delegate to others",
            },
          ]}
        />
        {whom === "other" && (
          <TextInput
            aria-label="Their account"
            placeholder="alice, or uid:1000"
            className="code w-48"
            value={account}
            onChange={(event) => setAccount(event.target.value)}
          />
        )}
      </div>
      <Choice
        legend="Access"
        value={access}
        onChange={setAccess}
        options={[
          { value: "read-write", label: "Read and write, alone", disabled: isOnlyRead },
          { value: "read-only", label: "Read only, shared with other readers" },
        ]}
      />
      {working.length > 1 && (
        <Choice
          legend="As"
          value={exporter ?? working[0]!.exporter}
          onChange={setExporter}
          options={working.map(({ exporter: value, detail }) => ({
            value,
            label: EXPORTER_WORDS[value],
            title: detail,
          }))}
        />
      )}
      <div className="grid gap-2">
        <Choice legend="For how long" value={lease} onChange={setLease} options={LEASES} />
        {lease === "until" && (
          <input
            type="datetime-local"
            aria-label="Until when"
            className="h-8 w-56 rounded-md border border-edge/70 bg-raised px-2"
            value={until}
            min={localTime(now)}
            onChange={(event) => setUntil(event.target.value)}
          />
        )}
        {leaseMs > 0 && (
          <p className="text-muted">
            {formatDuration(leaseMs)} from the moment it is claimed; now, that would be until{" "}
            {formatMoment(now + leaseMs)}.
          </p>
        )}
      </div>
      <Field label="What for" hint="Others see it in the row. Optional.">
        <TextInput maxLength={200} value={purpose} onChange={(event) => setPurpose(event.target.value)} />
      </Field>
      <div className="grid gap-1.5">
        <CheckBox checked={wait} onChange={setWait}>
          Wait in line if it is taken{isTaken && <span className="text-revoking">, which it is now</span>}
        </CheckBox>
        <CheckBox checked={keep} onChange={setKeep}>
          Keep it when its program disconnects, to be claimed again
        </CheckBox>
      </div>
      <WhatItMeans buffer={buffer} exporter={exporter ?? null} />
      {request.error && <Problem>{request.error.message}</Problem>}
      {problem && <p className="text-muted">{problem}</p>}
      <div className="flex flex-wrap items-center justify-between gap-3 border-t pt-3">
        <span className="min-w-0 text-muted">
          In one step:{" "}
          <span className="code break-all">
            {status &&
              leaseMs > 0 &&
              execLine(
                buffer.name,
                formatDuration(leaseMs).replace(" ", ""),
                { access, exporter: exporter ?? null },
                status.socket,
              )}
          </span>
        </span>
        <Button
          type="submit"
          look="primary"
          className="ml-auto"
          disabled={!isInTouch || request.isPending || problem !== undefined}
        >
          {request.isPending ? "Asking…" : "Delegate"}
        </Button>
      </div>
    </form>
  );
}

const EXPORTER_WORDS: Record<Exporter, string> = {
  memfd: "Memory",
  vfio: "The BAR itself",
  staged: "A window, copied when asked",
  udmabuf: "System memory (udmabuf)",
  "dma-heap": "System memory (DMA heap)",
};

/** As a datetime-local input has it: this browser's time, to the minute. */
function localTime(at: number): string {
  const date = new Date(at - new Date(at).getTimezoneOffset() * 60_000);
  return date.toISOString().slice(0, 16);
}

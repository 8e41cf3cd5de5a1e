"use client";
import { type Diagnosis, type Finding, SEVERITIES } from "@lendbuf/shared/doctor";
import { harmless } from "@lendbuf/shared/harmless";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Button } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Problem } from "../../ui/problem.tsx";
import { useTRPC } from "../connection/trpc.ts";
import { SeverityMark, severityWords } from "./severity-mark.tsx";

/** What stands between this host and lending real devices, the worst first; the rest only where it is asked for. */
export function DoctorSection() {
  const trpc = useTRPC();
  const [all, setAll] = useState(false);
  const { data, error, isFetching, refetch } = useQuery(trpc.host.doctor.queryOptions());
  const findings = [...(data?.findings ?? [])].sort((a, b) => rank(b) - rank(a));
  const shown = all ? findings : findings.filter(({ severity }) => severity === "problem" || severity === "warning");
  const others = findings.length - shown.length;
  return (
    <section aria-labelledby="doctor" className="border-b pb-4">
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2 px-4 pt-4 pb-2">
        <div className="min-w-0 grow">
          <h2 id="doctor" className="text-base font-medium">
            What this host can lend
          </h2>
          <p className="text-muted">{data ? summaryOf(data) : "Looking at the host…"}</p>
        </div>
        <Button disabled={isFetching} onClick={() => void refetch()}>
          Look again
        </Button>
      </div>
      {error && <Problem>{error.message}</Problem>}
      <ul aria-label="Findings">
        {shown.map((finding) => (
          <Line key={`${finding.check} ${finding.subject}`} finding={finding} />
        ))}
      </ul>
      {(others > 0 || all) && (
        <Button look="quiet" className="mx-2 mt-2" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Only problems and warnings" : `Show ${others} more: notes, and what is in order`}
        </Button>
      )}
    </section>
  );
}

function Line({ finding: { check, subject, severity, seen, means, advice, command } }: { finding: Finding }) {
  return (
    <li className="grid gap-x-4 border-t px-4 py-2 wide:grid-cols-[7rem_minmax(0,1fr)]">
      <SeverityMark severity={severity} />
      <div className="min-w-0 max-w-prose">
        <p className="wrap-anywhere">
          <span className="font-medium">
            {check} {harmless(subject)}
          </span>
          : {harmless(seen)}
        </p>
        <p className="text-muted wrap-anywhere">{harmless(means)}</p>
        {severity !== "ok" && <p className="wrap-anywhere">{harmless(advice)}</p>}
        {command && (
          <p className="flex items-center gap-1">
            <code className="code min-w-0 wrap-anywhere">{harmless(command)}</code>
            <CopyButton text={command} what="the command" />
          </p>
        )}
      </div>
    </li>
  );
}

const rank = ({ severity }: Finding) => SEVERITIES.indexOf(severity);

function summaryOf({ findings, leftOut }: Diagnosis): string {
  const counts = [...SEVERITIES]
    .reverse()
    .map((severity) => ({ severity, count: findings.filter((one) => one.severity === severity).length }))
    .filter(({ count }) => count > 0);
  const words = counts.map(({ severity, count }) => severityWords(severity, count)).join(", ");
  return leftOut > 0 ? `${words}; ${leftOut} more that matter less are not shown` : words;
}

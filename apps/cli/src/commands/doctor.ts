import { type Diagnosis, type Finding, hasProblem, SEVERITIES, type Severity } from "@lendbuf/shared/doctor";
import { harmless } from "@lendbuf/shared/harmless";
import type { Command } from "commander";
import { EXIT } from "../exit-codes.ts";
import { printJson, printLine } from "../output/print.ts";
import { paint, type Style } from "../output/style.ts";
import { type Where, withAgent } from "../session.ts";

const STYLES: Record<Severity, Style> = { ok: "green", note: "cyan", warning: "yellow", problem: "red" };

export function addDoctor(program: Command): void {
  program
    .command("doctor")
    .description("what stands between this host and lending real devices, and what to do about it")
    .action(async (_options, command: Command) => {
      const diagnosis = await askAgent(command);
      const { json } = command.optsWithGlobals<{ json?: boolean }>();
      if (json) await printJson(diagnosis);
      else await printLine(describe(diagnosis).join("\n"));
      if (hasProblem(diagnosis)) process.exitCode = EXIT.failed;
    });
}

/** The agent looks with its own permissions; where none answers, this process looks with its. */
async function askAgent(command: Command): Promise<Diagnosis> {
  try {
    return await withAgent(command, (agent) => agent.call("host.doctor"));
  } catch (error) {
    const isElsewhere = command.optsWithGlobals<Where>().agent !== undefined;
    if (!(error instanceof Error) || error.name !== "NoAgent" || isElsewhere) throw error;
    // Loaded only now: with an agent, none of it is needed.
    const { diagnose } = await import("@lendbuf/host/doctor/diagnose");
    const { HostFiles } = await import("@lendbuf/host/host-files");
    return diagnose({ files: new HostFiles(), devices: null, noAgent: error.message });
  }
}

function describe({ account: { uid, pid, isAgent }, findings, leftOut }: Diagnosis): string[] {
  const counts = [...SEVERITIES].reverse().map((severity) => {
    const count = findings.filter((finding) => finding.severity === severity).length;
    return paint(
      `${count} ${count === 1 || severity === "ok" ? severity : `${severity}s`}`,
      count > 0 ? STYLES[severity] : "dim",
    );
  });
  return [
    paint(
      isAgent ? `Looked at by the agent, uid ${uid}, pid ${pid}.` : `Looked at by uid ${uid}, without an agent.`,
      "dim",
    ),
    ...findings.flatMap(describeFinding),
    "",
    `${counts.join(", ")}${leftOut > 0 ? `; ${leftOut} more of the least severity are not shown` : ""}`,
  ];
}

function describeFinding({ check, subject, severity, seen, means, advice, command }: Finding): string[] {
  const head = `${paint(severity.padEnd(8), STYLES[severity])} ${paint(`${check} ${harmless(subject)}:`, "bold")} ${harmless(seen)}`;
  if (severity === "ok") return [head];
  return [
    head,
    `         ${harmless(means)}`,
    `         ${harmless(advice)}`,
    ...(command ? [`         $ ${harmless(command)}`] : []),
  ];
}

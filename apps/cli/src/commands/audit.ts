import type { Calls } from "@lendbuf/client/calls";
import type { AuditEntry, AuditVerdict } from "@lendbuf/shared/audit";
import type { Command } from "commander";
import { bufferName, count, delegationId } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import { AUDIT_COLUMNS, isAbout } from "../output/audit.ts";
import { print, printJson, printJsonLine, printLine } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { pages } from "../pages.ts";
import { interruption, isInterrupt } from "../running/interruption.ts";
import { withAgent } from "../session.ts";

interface Filter {
  delegation?: number;
  buffer?: string;
}

interface Options extends Filter {
  follow?: boolean;
  number: number;
}

export function addAudit(program: Command): void {
  const audit = program
    .command("audit")
    .description("what was decided, by whom: the last entries, oldest first")
    .option("--follow", "go on with what comes")
    .option("--delegation <id>", "only about this one", delegationId)
    .option("--buffer <buffer>", "only about this one", bufferName)
    .option("-n, --number <count>", "at most so many", count, 50)
    .action(({ follow, number, ...filter }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const show = json ? printJsonLines : tablePrinter();
        const latest = await newest(agent, filter, number);
        await show(latest);
        if (follow) await followOn(agent, latest.at(-1)?.seq ?? 0, filter, show);
        else if (latest.length === 0 && !json) await printLine("No entries.");
      }),
    );
  audit
    .command("verify")
    .description("check that no entry was changed, moved or removed")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const verdict = await agent.call("audit.verify");
        await (json ? printJson(verdict) : printLine(describe(verdict)));
        if (!verdict.ok) process.exitCode = EXIT.auditBroken;
      }),
    );
}

async function newest(agent: Calls, filter: Filter, number: number): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  const fetch = ({ cursor, limit }: { cursor?: number; limit: number }) =>
    agent.call("audit.list", { ...filter, ...(cursor !== undefined && { before: cursor }), limit });
  for await (const { items } of pages(fetch, number)) found.push(...items);
  return found.reverse();
}

async function followOn(agent: Calls, after: number, filter: Filter, show: (entries: AuditEntry[]) => Promise<void>) {
  try {
    for await (const entry of agent.subscribe("audit.watch", { after }, { signal: interruption() }))
      if (isAbout(entry, filter)) await show([entry]);
  } catch (error) {
    if (!isInterrupt(error)) throw error;
  }
}

async function printJsonLines(entries: readonly AuditEntry[]): Promise<void> {
  for (const entry of entries) await printJsonLine(entry);
}

function tablePrinter(): (entries: readonly AuditEntry[]) => Promise<void> {
  const table = new Table(AUDIT_COLUMNS);
  return async (entries) => {
    if (entries.length > 0) await print(`${table.lines(entries).join("\n")}\n`);
  };
}

function describe({ ok, entries, head, broken }: AuditVerdict): string {
  if (ok) return `The chain is whole: ${entries} entries, head ${head ?? "none"}.`;
  return broken ? `The chain is broken at entry ${broken.seq}: ${broken.problem}.` : "The chain is broken.";
}

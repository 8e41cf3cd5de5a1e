import type { Calls } from "@lendbuf/client/calls";
import type { AuditEntry } from "@lendbuf/shared/audit";
import type { Command } from "commander";
import { account, bufferName, count, delegationId, deviceName, pastMoment } from "../arguments.ts";
import { AUDIT_COLUMNS } from "../output/audit.ts";
import { print, printJsonLine, printLine } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { pages } from "../pages.ts";
import { interruption, isInterrupt } from "../running/interruption.ts";
import { withAgent } from "../session.ts";
import { addAuditExport } from "./audit-export.ts";
import type { AuditFilter } from "./audit-filter.ts";
import { addAuditHead, addAuditVerify } from "./audit-verify.ts";
import { addAuditWho } from "./audit-who.ts";

interface Options extends AuditFilter {
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
    .option("--device <device>", "only about this one", deviceName)
    .option("--account <user>", "only what it did, and what is about its delegations", account)
    .option("--action <action>", "only these: delegation.claimed, or all of a kind: device")
    .option("--search <words>", "only those that have all these words")
    .option("--from <time>", 'from then on: "2026-11-24 15:00", "tuesday 15:00", "2h ago"', pastMoment)
    .option("--to <time>", "before then", pastMoment)
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
  addAuditWho(audit);
  addAuditExport(audit);
  addAuditHead(audit);
  addAuditVerify(audit);
}

async function newest(agent: Calls, filter: AuditFilter, number: number): Promise<AuditEntry[]> {
  const found: AuditEntry[] = [];
  const fetch = ({ cursor, limit }: { cursor?: number; limit: number }) =>
    agent.call("audit.list", { ...filter, ...(cursor !== undefined && { before: cursor }), limit });
  for await (const { items } of pages(fetch, number)) found.push(...items);
  return found.reverse();
}

async function followOn(
  agent: Calls,
  after: number,
  { from: _, to: __, ...filter }: AuditFilter,
  show: (entries: AuditEntry[]) => Promise<void>,
) {
  try {
    for await (const entry of agent.subscribe("audit.watch", { ...filter, after }, { signal: interruption() }))
      await show([entry]);
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

import type { AuditHead, AuditVerdict } from "@lendbuf/shared/audit";
import type { Command } from "commander";
import { auditHead } from "../arguments.ts";
import { type FileVerdict, verifyFile } from "../auditing/verify-file.ts";
import { EXIT } from "../exit-codes.ts";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

interface Options {
  head?: AuditHead;
  file?: string;
}

export function addAuditHead(audit: Command): void {
  audit
    .command("head")
    .description("the last entry's place and hash, SEQ:HASH, to be kept elsewhere")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const head = await agent.call("audit.head");
        await (json ? printJson(head) : printLine(`${head.seq}:${head.hash}`));
      }),
    );
}

export function addAuditVerify(audit: Command): void {
  audit
    .command("verify")
    .description("check that no entry was changed, moved or removed")
    .option("--head <seq:hash>", "and that this one, as audit head printed it, is still there", auditHead)
    .option("--file <file>", "of this file, as audit export wrote it; asks no agent")
    .action(async ({ head, file }: Options, command: Command) => {
      const { json = false } = command.optsWithGlobals<{ json?: boolean }>();
      const verdict = await (file === undefined
        ? withAgent(command, (agent) => agent.call("audit.verify", { ...(head && { head }) }))
        : verifyFile(file, head));
      await (json ? printJson(verdict) : printLine(describe(verdict)));
      if (!verdict.ok) process.exitCode = EXIT.auditBroken;
    });
}

function describe(verdict: AuditVerdict | FileVerdict): string {
  if (verdict.broken) return `The chain is broken at entry ${verdict.broken.seq}: ${verdict.broken.problem}.`;
  if ("gaps" in verdict) return describeFile(verdict);
  const { entries, head, anchor } = verdict;
  const dropped = anchor ? ` Entries up to ${anchor.seq} were dropped by age.` : "";
  return `The chain is whole: ${entries} entries, head ${head ?? "none"}.${dropped}`;
}

function describeFile({ entries, first, head, gaps }: FileVerdict): string {
  if (!head) return "The file has no entries.";
  const extent = `${entries} entries, from ${first} to ${head.seq}`;
  if (gaps > 0) return `No entry was changed: ${extent}, with others left out in ${gaps} places.`;
  return `The chain is whole: ${extent}, head ${head.hash}.`;
}

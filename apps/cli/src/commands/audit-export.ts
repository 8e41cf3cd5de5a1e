import { type Command, Option } from "commander";
import { print } from "../output/print.ts";
import { withAgent } from "../session.ts";
import type { AuditFilter } from "./audit-filter.ts";

interface Options extends AuditFilter {
  format: "jsonl" | "csv";
}

export function addAuditExport(audit: Command): void {
  audit
    .command("export")
    .description("print all entries that fit, as they are stored, so that the chain can be verified from the file")
    .addOption(new Option("--format <format>", "JSON Lines or CSV").choices(["jsonl", "csv"]).default("jsonl"))
    .action((_options, command: Command) => {
      const { format, delegation, buffer, device, account, action, search, from, to } =
        command.optsWithGlobals<Options>();
      const input = { format, delegation, buffer, device, account, action, search, from, to };
      return withAgent(command, async (agent) => {
        for await (const { text } of agent.subscribe("audit.export", input)) await print(text);
      });
    });
}

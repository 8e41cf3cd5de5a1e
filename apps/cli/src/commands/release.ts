import type { Command } from "commander";
import { delegationId } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import { END_COLUMNS } from "../output/delegation.ts";
import { printJson, printLine } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { withAgent } from "../session.ts";

export function addRelease(program: Command): void {
  program
    .command("release")
    .description("give a delegation back, or withdraw an offer or a place in line")
    .argument("<id>", "which delegation", delegationId)
    .action((id: number, _options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const delegation = await agent.call("delegations.release", { id });
        if (json) await printJson(delegation);
        else await printLine(new Table(END_COLUMNS).lines([delegation]).join("\n"));
        if (delegation.state === "revoking") process.exitCode = EXIT.unconfirmed;
      }),
    );
}

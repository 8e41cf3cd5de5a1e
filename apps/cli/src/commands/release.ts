import type { Command } from "commander";
import { delegationId } from "../arguments.ts";
import { EXIT } from "../exit-codes.ts";
import { END_COLUMNS } from "../output/delegation.ts";
import { printDone, printJson } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { planRelease } from "../planning/ends.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

export function addRelease(program: Command): void {
  program
    .command("release")
    .description("give a delegation back, or withdraw an offer or a place in line")
    .argument("<id>", "which delegation", delegationId)
    .addOption(dryRunOption())
    .action((id: number, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planRelease(agent, id), json);
        const delegation = await agent.call("delegations.release", { id });
        if (json) await printJson(delegation);
        else await printDone(new Table(END_COLUMNS).lines([delegation]).join("\n"));
        if (delegation.state === "revoking") process.exitCode = EXIT.unconfirmed;
      }),
    );
}

import { formatDuration } from "@lendbuf/shared/duration";
import type { Command } from "commander";
import { delegationId, duration } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { clock } from "../output/time.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planExtend } from "../planning/requests.ts";
import { withAgent } from "../session.ts";

export function addExtend(program: Command): void {
  program
    .command("extend")
    .description("add time to a lease")
    .argument("<id>", "which delegation", delegationId)
    .argument("<duration>", "how much longer: 90 (seconds), 15m, 1h30m", duration)
    .addOption(dryRunOption())
    .action((id: number, byMs: number, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planExtend(agent, id, byMs), json);
        const delegation = await agent.call("delegations.extend", { id, byMs });
        if (json) return printJson(delegation);
        const { buffer, expiresAt } = delegation;
        const left =
          expiresAt === null ? "" : `: ${formatDuration(expiresAt - Date.now())} left, until ${clock(expiresAt)}`;
        await printDone(`Delegation ${id} of ${buffer} goes on${left}.`);
      }),
    );
}

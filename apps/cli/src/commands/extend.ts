import type { Input } from "@lendbuf/shared/api";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Command } from "commander";
import { delegationId, duration } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { clock } from "../output/time.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planExtend } from "../planning/requests.ts";
import { withAgent } from "../session.ts";

interface Options {
  shorten?: boolean;
  dryRun?: boolean;
}

export function addExtend(program: Command): void {
  program
    .command("extend")
    .description("add time to a lease")
    .argument("<id>", "which delegation", delegationId)
    .argument("<duration>", "how much longer: 90 (seconds), 15m, 1h30m", duration)
    .option("--shorten", "add less where the whole would pass a limit")
    .addOption(dryRunOption())
    .action((id: number, byMs: number, { shorten, dryRun }: Options, command: Command) =>
      change(command, { id, byMs, ...(shorten && { shorten }) }, dryRun),
    );
  program
    .command("shorten")
    .description("take time from a lease")
    .argument("<id>", "which delegation", delegationId)
    .argument("<duration>", "how much less: 90 (seconds), 15m, 1h30m", duration)
    .addOption(dryRunOption())
    .action((id: number, lessMs: number, { dryRun }: Options, command: Command) =>
      change(command, { id, byMs: -lessMs, shorten: true }, dryRun),
    );
}

function change(command: Command, input: Input<"delegations.extend">, dryRun: boolean | undefined): Promise<void> {
  return withAgent(command, async (agent, { json }) => {
    if (dryRun) return showPlan(await planExtend(agent, input), json);
    const delegation = await agent.call("delegations.extend", input);
    if (json) return printJson(delegation);
    const { id, buffer, expiresAt } = delegation;
    const left =
      expiresAt === null ? "" : `: ${formatDuration(expiresAt - Date.now())} left, until ${clock(expiresAt)}`;
    await printDone(`Delegation ${id} of ${buffer} goes on${left}.`);
  });
}

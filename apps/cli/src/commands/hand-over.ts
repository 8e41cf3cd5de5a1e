import type { Command } from "commander";
import { account, delegationId, duration } from "../arguments.ts";
import { printJson, printLong } from "../output/print.ts";
import { clock } from "../output/time.ts";
import { planHandOver } from "../planning/ends.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  claimWithin?: number;
  dryRun?: boolean;
}

export function addHandOver(program: Command): void {
  program
    .command("hand-over")
    .description("give what is left of a lease to somebody else, who claims it")
    .argument("<id>", "which delegation", delegationId)
    .argument("<account>", "to whom: uid:1000 or a user's name", account)
    .option("--claim-within <duration>", "how long the offer stands", duration)
    .addOption(dryRunOption())
    .action((id: number, to: string, { claimWithin, dryRun }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planHandOver(agent, id, to), json);
        const heir = await agent.call("delegations.handOver", {
          id,
          account: to,
          ...(claimWithin && { offerMs: claimWithin }),
        });
        if (json) return printJson(heir);
        const { buffer, state, until } = heir;
        const when =
          state === "offered" ? "is offered" : "is first in line and offered when the kernel has confirmed the end";
        const lines = [
          `${buffer} goes from delegation ${id} to ${heir.id} of ${to}, which ${when}${until === null ? "" : `, until ${clock(until)}`}.`,
          `They claim it:   lendbuf claim ${heir.id}`,
        ];
        await printLong(lines.join("\n"), String(heir.id));
      }),
    );
}

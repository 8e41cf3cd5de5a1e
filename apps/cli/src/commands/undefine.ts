import type { Command } from "commander";
import { bufferName } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planUndefine } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

export function addUndefine(program: Command): void {
  program
    .command("undefine")
    .description("remove a buffer that was defined and is not in use")
    .argument("<name>", "which buffer", bufferName)
    .addOption(dryRunOption())
    .action((name: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planUndefine(agent, name), json);
        const removed = await agent.call("buffers.remove", { name });
        if (json) await printJson(removed);
        else await printDone(`Removed ${name}.`);
      }),
    );
}

import type { Command } from "commander";
import { bufferName } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planLift } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

export function addLift(program: Command): void {
  program
    .command("lift")
    .description("lend a buffer again that is held because a scrub, a reset or a hook failed")
    .argument("<buffer>", "which buffer", bufferName)
    .addOption(dryRunOption())
    .action((name: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planLift(agent, name), json);
        const buffer = await agent.call("buffers.lift", { name });
        if (json) await printJson(buffer);
        else await printDone(`${buffer.name} can be lent: it is ${buffer.state}.`);
      }),
    );
}

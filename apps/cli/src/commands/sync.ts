import type { Width } from "@lendbuf/shared/buffer";
import { formatSize } from "@lendbuf/shared/size";
import { type Command, Option } from "commander";
import { count, delegationId, offset, widthOption } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planSync } from "../planning/copies.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  offset?: number;
  length?: number;
  width?: Width;
  dryRun?: boolean;
}

const HELP = `
A staged delegation is a window onto the device: its bytes are copied when they are asked for, with accesses of the width that the
device needs. In a program that "lendbuf exec --exporter staged" runs, the delegation is $LENDBUF_DELEGATION:

  lendbuf sync $LENDBUF_DELEGATION from-device --offset 0x100 --length 4
  lendbuf sync $LENDBUF_DELEGATION to-device --width 64`;

export function addSync(program: Command): void {
  program
    .command("sync")
    .description("copy between the window of a staged delegation and its device")
    .argument("<id>", "which delegation", delegationId)
    .addArgument(program.createArgument("<direction>", "which way").choices(["from-device", "to-device"]))
    .addOption(new Option("--offset <offset>", "bytes from the start: 8, 0x10 (default: 0)").argParser(offset))
    .addOption(new Option("--length <bytes>", "so many (default: all that follows)").argParser(count))
    .addOption(widthOption())
    .addOption(dryRunOption())
    .addHelpText("after", HELP)
    .action((id: number, direction: "from-device" | "to-device", { dryRun, ...part }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planSync(agent, { id, direction, ...part }), json);
        const synced = await agent.call("delegations.sync", { id, direction, ...part });
        if (json) await printJson(synced);
        else
          await printDone(
            `${formatSize(synced.length)} copied ${direction.replace("-", " the ")} in ${synced.durationMs} ms.`,
          );
      }),
    );
}

import type { Range } from "@lendbuf/shared/buffer";
import { formatSize } from "@lendbuf/shared/size";
import { type Command, Option } from "commander";
import { bufferName, deviceName, range, regionIndex, tags } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planDefine } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  device: string;
  region: number;
  range: Range[];
  shared?: boolean;
  scrub?: "none" | "zero";
  description?: string;
  tag?: string[];
  dryRun?: boolean;
}

export function addDefine(program: Command): void {
  program
    .command("define")
    .description("make ranges of a device's region lendable under a name")
    .argument("<name>", "the new buffer's name", bufferName)
    .requiredOption("--device <device>", "of which device", deviceName)
    .requiredOption("--region <index>", "of which region; BARs are 0 to 5", regionIndex)
    .requiredOption("--range <offset+length...>", "page-aligned, for example 0x1000+64KiB; may be repeated", range)
    .option("--shared", "only ever read, by any number at a time")
    .addOption(
      new Option("--scrub <how>", "what happens to the contents before the next borrower").choices(["none", "zero"]),
    )
    .option("--description <text>", "shown in lists")
    .option("--tag <tag...>", "by which it is found, and panic ends what belongs together; may be repeated", tags)
    .addOption(dryRunOption())
    .action((name: string, { range: ranges, shared, tag, dryRun, ...options }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const definition = {
          name,
          ranges,
          ...(shared && { share: "shared" as const }),
          ...(tag && { tags: tag }),
          ...options,
        };
        if (dryRun) return showPlan(await planDefine(agent, definition), json);
        const buffer = await agent.call("buffers.define", definition);
        if (json) await printJson(buffer);
        else
          await printDone(
            `Defined ${buffer.name}: ${formatSize(buffer.size)} of ${buffer.device}, region ${buffer.region}.`,
          );
      }),
    );
}

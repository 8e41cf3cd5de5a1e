import type { Range, Scrub, Width } from "@lendbuf/shared/buffer";
import { formatSize } from "@lendbuf/shared/size";
import type { Command } from "commander";
import { bufferName, deviceName, range, regionIndex, scrub, scrubWidthOption, tags } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { planDefine } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  device: string;
  region: number;
  range: Range[];
  shared?: boolean;
  scrub?: Scrub;
  description?: string;
  tag?: string[];
  scrubWidth?: Width;
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
    .option(
      "--scrub <how>",
      "what is written over the contents between borrowers: zero, or a word such as 0xdead",
      scrub,
    )
    .addOption(scrubWidthOption())
    .option("--description <text>", "shown in lists")
    .option("--tag <tag...>", "by which it is found, and panic ends what belongs together; may be repeated", tags)
    .addOption(dryRunOption())
    .action(
      (
        name: string,
        { range: ranges, shared, tag, scrub, scrubWidth, dryRun, ...options }: Options,
        command: Command,
      ) =>
        withAgent(command, async (agent, { json }) => {
          const definition = {
            name,
            ranges,
            ...(shared && { share: "shared" as const }),
            ...(tag && { tags: tag }),
            ...(scrub && { scrub: withWidth(scrub, scrubWidth) }),
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

/** Zeros too need accesses of some width. */
function withWidth(scrub: Scrub, width: Width | undefined): Scrub {
  if (width === undefined || scrub === "none") return scrub;
  return { pattern: scrub === "zero" ? "0x0" : scrub.pattern, width };
}

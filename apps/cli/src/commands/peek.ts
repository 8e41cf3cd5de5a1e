import type { Width } from "@lendbuf/shared/buffer";
import type { Command } from "commander";
import { bufferName, count, offset, widthOption } from "../arguments.ts";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

interface Options {
  width?: Width;
  count?: number;
}

export function addPeek(program: Command): void {
  program
    .command("peek")
    .description("read registers of a device, each with one access of its width")
    .argument("<buffer>", "of which buffer", bufferName)
    .argument("<offset>", "bytes from its start: 8, 0x10", offset)
    .addOption(widthOption())
    .option("--count <count>", "so many, one after the other (default: 1)", count)
    .action((name: string, at: number, options: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const peeked = await agent.call("buffers.peek", { name, offset: at, ...options });
        if (json) return printJson(peeked);
        const { values, width } = peeked;
        // For scripts, one is its value and no more.
        if (values.length === 1) return printLine(values[0]);
        for (const [i, value] of values.entries())
          await printLine(`0x${(at + (i * width) / 8).toString(16)}  ${value}`);
      }),
    );
}

import type { Command } from "commander";
import { bufferName } from "../arguments.ts";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addUndefine(program: Command): void {
  program
    .command("undefine")
    .description("remove a buffer that was defined and is not in use")
    .argument("<name>", "which buffer", bufferName)
    .action((name: string, _options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const removed = await agent.call("buffers.remove", { name });
        if (json) await printJson(removed);
        else await printLine(`Removed ${name}.`);
      }),
    );
}

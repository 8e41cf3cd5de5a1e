import type { Command } from "commander";
import { delegationId } from "../arguments.ts";
import { HOLDER_COLUMNS, tellUnseen } from "../output/holder.ts";
import { printList } from "../output/list.ts";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addHolders(program: Command): void {
  program
    .command("holders")
    .description("which processes have a delegation's memory open or mapped")
    .argument("<id>", "which delegation", delegationId)
    .action((id: number, _options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const answer = await agent.call("delegations.holders", { id });
        if (json) return printJson(answer);
        if (!answer.exported) return printLine(`Delegation ${id} has no export: there is nothing to hold.`);
        const { holders, total } = answer;
        await printList(holders, HOLDER_COLUMNS, { json, empty: "Nobody that can be seen." });
        if (total > holders.length) await printLine(`… and ${total - holders.length} more`);
        tellUnseen(answer);
      }),
    );
}

import type { Command } from "commander";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addWhoami(program: Command): void {
  program
    .command("whoami")
    .description("whom the agent takes you for, and what you may do")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const identity = await agent.call("sessions.me");
        if (json) return printJson(identity);
        const { account, name, isOperator } = identity;
        const may = isOperator
          ? "an operator: you may see and end everybody's delegations"
          : "you may see and end your own delegations";
        await printLine(`${account}${name ? ` (${name})` : ""}, ${may}.`);
      }),
    );
}

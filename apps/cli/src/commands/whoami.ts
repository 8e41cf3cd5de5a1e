import type { Role } from "@lendbuf/shared/role";
import type { Command } from "commander";
import { printJson, printLine } from "../output/print.ts";
import { withAgent } from "../session.ts";

const MAY: Record<Role, string> = {
  viewer: "a viewer: you may look, and borrow nothing",
  member: "a member: you may borrow, and end what is yours",
  operator: "an operator: you may borrow, and end what anybody has",
  admin: "an admin: you may do all that an operator may, and say who else may do what",
};

export function addWhoami(program: Command): void {
  program
    .command("whoami")
    .description("whom the agent takes you for, and what you may do")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const identity = await agent.call("sessions.me");
        if (json) return printJson(identity);
        const { account, name, role } = identity;
        await printLine(`${account}${name ? ` (${name})` : ""}, ${MAY[role]}.`);
      }),
    );
}

import { formatDuration } from "@lendbuf/shared/duration";
import type { Command } from "commander";
import { account } from "../arguments.ts";
import { printJson, printLong } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addLogin(program: Command): void {
  program
    .command("login")
    .description("print a link that signs a browser in to the dashboard, once")
    .option("--account <account>", "for whom, where that is somebody else; admins only", account)
    .action((options: { account?: string }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const link = await agent.call("sessions.createLink", options);
        if (json) return printJson(link);
        await printLong(
          `${link.url}\nIt works once, and for ${formatDuration(link.expiresAt - Date.now())}.`,
          link.url,
        );
      }),
    );
}

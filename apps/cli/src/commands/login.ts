import { formatDuration } from "@lendbuf/shared/duration";
import type { Command } from "commander";
import { printJson, printLong } from "../output/print.ts";
import { withAgent } from "../session.ts";

export function addLogin(program: Command): void {
  program
    .command("login")
    .description("print a link that signs a browser in to the dashboard, once")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const link = await agent.call("sessions.createLink");
        if (json) return printJson(link);
        await printLong(
          `${link.url}\nIt works once, and for ${formatDuration(link.expiresAt - Date.now())}.`,
          link.url,
        );
      }),
    );
}

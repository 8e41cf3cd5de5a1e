import type { Session } from "@lendbuf/shared/session";
import type { Command } from "commander";
import { printList } from "../output/list.ts";
import { printDone, printJson } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { clock, relative } from "../output/time.ts";
import { dryRunOption, planEndOf, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

const COLUMNS: readonly Column<Session>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "ACCOUNT", cell: ({ account }) => account },
  { title: "SIGNED IN", cell: ({ createdAt }) => clock(createdAt), leaveOut: 1 },
  { title: "ENDS", cell: ({ expiresAt }) => relative(expiresAt) },
];

export function addSession(program: Command): void {
  const session = program.command("session").description("browsers that are signed in to the dashboard");
  session
    .command("list")
    .description("which are signed in")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        await printList(await agent.call("sessions.list"), COLUMNS, { json, empty: "No browser is signed in." });
      }),
    );
  session
    .command("end")
    .description("sign a browser out at once")
    .argument("<id>", "which, as `lendbuf session list` shows it")
    .addOption(dryRunOption())
    .action((id: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(planEndOf("session", id, await agent.call("sessions.list")), json);
        await agent.call("sessions.end", { id });
        if (json) return printJson(null);
        await printDone(`Session ${id} is signed out.`);
      }),
    );
}

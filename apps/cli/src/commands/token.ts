import type { Token } from "@lendbuf/shared/session";
import type { Command } from "commander";
import { duration } from "../arguments.ts";
import { printList } from "../output/list.ts";
import { printDone, printJson, printLong } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { clock, relative } from "../output/time.ts";
import { dryRunOption, plan, planEndOf, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

const COLUMNS: readonly Column<Token>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name },
  { title: "ACCOUNT", cell: ({ account }) => account },
  { title: "MADE", cell: ({ createdAt }) => clock(createdAt), leaveOut: 1 },
  { title: "ENDS", cell: ({ expiresAt }) => relative(expiresAt) },
];

export function addToken(program: Command): void {
  const token = program.command("token").description("ways in for scripts over HTTP");
  token
    .command("create")
    .description("make a token; it is shown once")
    .argument("<name>", "what it is for")
    .option("--for <duration>", "how long it is good: 12h, 30d", duration)
    .addOption(dryRunOption())
    .action((name: string, { for: lifeMs, dryRun }: { for?: number; dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(plan(`make a token for ${(await agent.call("sessions.me")).account}`), json);
        const made = await agent.call("tokens.create", { name, lifeMs });
        if (json) return printJson(made);
        await printLong(
          `${made.token}\nSend it as "Authorization: Bearer …". It is good until ${clock(made.expiresAt)}; \`lendbuf token remove ${made.id}\` ends it.`,
          made.token,
        );
      }),
    );
  token
    .command("list")
    .description("the tokens that are good")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        await printList(await agent.call("tokens.list"), COLUMNS, { json, empty: "No tokens." });
      }),
    );
  token
    .command("remove")
    .description("end a token at once")
    .argument("<id>", "which, as `lendbuf token list` shows it")
    .addOption(dryRunOption())
    .action((id: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(planEndOf("token", id, await agent.call("tokens.list")), json);
        await agent.call("tokens.remove", { id });
        if (json) return printJson(null);
        await printDone(`Token ${id} is good for nothing any more.`);
      }),
    );
}

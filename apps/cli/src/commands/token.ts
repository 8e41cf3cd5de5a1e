import type { Calls } from "@lendbuf/client/calls";
import type { Output } from "@lendbuf/shared/api";
import { SCOPES, type Scope } from "@lendbuf/shared/role";
import type { Token } from "@lendbuf/shared/session";
import { type Command, Option } from "commander";
import { account, duration } from "../arguments.ts";
import { printList } from "../output/list.ts";
import { printDone, printJson, printLong } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { clock, relative } from "../output/time.ts";
import { dryRunOption, type Plan, plan, planEndOf, showPlan, wrongFor } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

const COLUMNS: readonly Column<Token>[] = [
  { title: "ID", cell: ({ id }) => id },
  { title: "NAME", cell: ({ name }) => name },
  { title: "ACCOUNT", cell: ({ account }) => account },
  { title: "SCOPE", cell: ({ scope }) => scope },
  { title: "MADE", cell: ({ createdAt }) => clock(createdAt), leaveOut: 1 },
  { title: "ENDS", cell: ({ expiresAt }) => relative(expiresAt) },
];

interface CreateOptions {
  scope?: Scope;
  account?: string;
  for?: number;
  dryRun?: boolean;
}

async function printCalendar(agent: Calls, { id, token, expiresAt }: Output<"tokens.create">): Promise<void> {
  const { url } = await agent.call("status.get");
  const address = `${url}/calendar.ics?token=${token}`;
  const until = `It is good until ${clock(expiresAt)}; \`lendbuf token remove ${id}\` ends it.`;
  await printLong(`${address}\nSubscribe to it in a calendar on this host, or through ssh. ${until}`, address);
}

async function planToken(agent: Calls, wanted: string | undefined): Promise<Plan> {
  const me = await agent.call("sessions.me");
  const account = wanted ?? me.account;
  const refusal = wrongFor(me, "tokens.create", account);
  return plan(`make a token for ${account}`, { refusal });
}

export function addToken(program: Command): void {
  const token = program.command("token").description("ways in for scripts over HTTP");
  token
    .command("create")
    .description("make a token; it is shown once")
    .argument("<name>", "what it is for")
    .addOption(
      new Option("--scope <scope>", "what it is good for: to look, to borrow too (else), to operate too").choices(
        SCOPES,
      ),
    )
    .option("--account <account>", "for whom, where that is somebody else; admins only", account)
    .option("--for <duration>", "how long it is good: 12h, 30d", duration)
    .addOption(dryRunOption())
    .action((name: string, { for: lifeMs, dryRun, ...options }: CreateOptions, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planToken(agent, options.account), json);
        const made = await agent.call("tokens.create", { name, lifeMs, ...options });
        if (json) return printJson(made);
        if (made.scope === "calendar") return printCalendar(agent, made);
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

import type { Calls } from "@lendbuf/client/calls";
import type { Command } from "commander";
import { account as accountName } from "../arguments.ts";
import { printDone, printJson } from "../output/print.ts";
import { dryRunOption, type Plan, plan, showPlan, wrongFor } from "../planning/plan.ts";
import { Secrets } from "../secrets.ts";
import { withAgent } from "../session.ts";

interface Options {
  remove?: boolean;
  stdin?: boolean;
  dryRun?: boolean;
}

export function addAccountPassword(parent: Command): void {
  parent
    .command("password")
    .description("set a password for the dashboard: your own, or as an admin another's, who must then choose another")
    .argument("[name]", "whose; else your own", accountName)
    .option("--stdin", "read it from stdin, in a line of its own; before it the current one, where it is your own")
    .option("--remove", "take it away; links and tokens stay")
    .addOption(dryRunOption())
    .action((name: string | undefined, { remove = false, stdin = false, dryRun }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const me = await agent.call("sessions.me");
        const account = name ?? me.account;
        if (dryRun) return showPlan(await planPassword(agent, account, remove), json);
        const isOwn = account === me.account;
        const secrets = remove ? null : await read({ stdin, asksCurrent: isOwn && me.hasPassword });
        await agent.call("accounts.setPassword", { account, password: null, ...secrets });
        if (json) return printJson(null);
        await printDone(remove ? `${account} has no password any more.` : setWords(account, isOwn));
      }),
    );
}

async function read({ stdin, asksCurrent }: { stdin: boolean; asksCurrent: boolean }) {
  await using secrets = new Secrets({ stdin });
  const current = asksCurrent ? await secrets.ask("Current password") : undefined;
  return { password: await secrets.askNew("New password"), ...(current !== undefined && { current }) };
}

function setWords(account: string, isOwn: boolean): string {
  const next = isOwn ? "" : ` ${account} must choose another at the first login with it.`;
  return `The password of ${account} is set; its other sessions have ended.${next}`;
}

async function planPassword(agent: Calls, account: string, isTakenAway: boolean): Promise<Plan> {
  const me = await agent.call("sessions.me");
  const refusal = wrongFor(me, "accounts.setPassword", account);
  const what = isTakenAway ? "take away" : "set";
  return plan(`${what} the password of ${account} and end its other sessions`, { refusal });
}

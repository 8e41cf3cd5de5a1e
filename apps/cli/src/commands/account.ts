import type { Calls } from "@lendbuf/client/calls";
import { ACCOUNT_KINDS, type Account, type AccountKind } from "@lendbuf/shared/account";
import { ROLES, type Role } from "@lendbuf/shared/role";
import { type Command, Option } from "commander";
import { account as accountName, groupNames, uids } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { usageFailure } from "../failure.ts";
import { printList } from "../output/list.ts";
import { printDone, printJson } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { accounts, liveOfAccount, planAccount } from "../planning/accounts.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";
import { addAccountPassword } from "./account-password.ts";

const COLUMNS: readonly Column<Account>[] = [
  { title: "NAME", cell: ({ name }) => name },
  { title: "ROLE", cell: ({ role, disabled }) => (disabled ? `${role}, disabled` : role) },
  { title: "KIND", cell: ({ kind }) => kind, leaveOut: 2 },
  { title: "FROM", cell: ({ source }) => source, leaveOut: 3 },
  { title: "UIDS", cell: ({ uids }) => uids.join(" ") },
  { title: "GROUPS", cell: ({ groups }) => groups.join(" "), leaveOut: 1 },
];

interface Options {
  role?: Role;
  kind?: AccountKind;
  uid?: number[];
  group?: string[];
}

interface Ending {
  yes?: boolean;
  dryRun?: boolean;
}

type Change = Options & Ending & { disable?: boolean; enable?: boolean };

export function addAccount(program: Command): void {
  const command = program.command("account").description("who may come in, and what they may do");
  addListing(command);
  addAccountPassword(command);
  withFields(command.command("create").description("make an account").argument("<name>", "its name: alice, ci"))
    .addOption(dryRunOption())
    .action((name: string, { dryRun, ...options }: Options & Ending, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        if (dryRun) return showPlan(await planAccount(agent, "accounts.create", name), json);
        const account = await agent.call("accounts.create", { name, ...fieldsOf(options) });
        if (json) return printJson(account);
        await printDone(`Account ${account.name} is a ${account.role}. ${waysIn(account)}`);
      }),
    );
  withFields(command.command("set").description("change an account").argument("<name>", "which", accountName))
    .option("--disable", "end all that it has and all its ways in, until it is enabled again")
    .option("--enable", "let it in again")
    .option("--yes", "do not ask before its delegations end")
    .addOption(dryRunOption())
    .action((name: string, options: Change, self: Command) => {
      const { disable, enable } = options;
      if (disable && enable) throw usageFailure("Give --disable or --enable, not both.");
      const fields = { ...fieldsOf(options), ...((disable || enable) && { disabled: disable === true }) };
      if (Object.keys(fields).length === 0) throw usageFailure("Say what to change: --role, --uid, --disable, …");
      return withAgent(self, async (agent, { json }) => {
        if (options.dryRun) return showPlan(await planAccount(agent, "accounts.update", name, disable), json);
        if (disable) await confirmEnds(agent, name, options);
        const account = await agent.call("accounts.update", { name, ...fields });
        if (json) return printJson(account);
        await printDone(
          `Account ${name} is ${account.disabled ? "disabled" : `a ${account.role}`}. ${waysIn(account)}`,
        );
      });
    });
  command
    .command("remove")
    .description("remove an account, with all that it has and all its ways in")
    .argument("<name>", "which", accountName)
    .option("--yes", "do not ask before its delegations end")
    .addOption(dryRunOption())
    .action((name: string, options: Ending, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        if (options.dryRun) return showPlan(await planAccount(agent, "accounts.remove", name, true), json);
        await confirmEnds(agent, name, options);
        await agent.call("accounts.remove", { name });
        if (json) return printJson(null);
        await printDone(`Account ${name} is removed.`);
      }),
    );
}

function addListing(command: Command): void {
  command
    .command("list")
    .description("the accounts that admins made, and those of the configuration file")
    .action((_options, self: Command) =>
      withAgent(self, async (agent, { json }) => {
        const empty = "No accounts. Users of the agent's host come in as uid:1000 and the like.";
        await printList(await accounts(agent), COLUMNS, { json, empty });
      }),
    );
}

function withFields(command: Command): Command {
  return command
    .addOption(new Option("--role <role>", "what it may do").choices(ROLES))
    .addOption(new Option("--kind <kind>", "what it is").choices(ACCOUNT_KINDS))
    .option("--uid <uid...>", "who these users of the agent's host are, it is; none: nobody", uids)
    .option("--group <group...>", "and who is in these groups there; none: nobody", groupNames);
}

function fieldsOf({ role, kind, uid, group }: Options) {
  return { ...(role && { role }), ...(kind && { kind }), ...(uid && { uids: uid }), ...(group && { groups: group }) };
}

function waysIn({ name, uids, groups, disabled }: Account): string {
  if (disabled) return "All that it had has ended.";
  const users = [...uids.map((uid) => `uid ${uid}`), ...groups.map((group) => `group ${group}`)];
  if (users.length > 0) return `It comes in as ${users.join(", ")}.`;
  return `It comes in by \`lendbuf login --account ${name}\` or \`lendbuf token create --account ${name} NAME\`.`;
}

async function confirmEnds(agent: Calls, name: string, { yes }: Ending): Promise<void> {
  if (yes) return;
  const live = await liveOfAccount(agent, name);
  if (live.length > 0) await confirm(live, live.length);
}

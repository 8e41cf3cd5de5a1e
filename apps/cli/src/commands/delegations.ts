import type { Command } from "commander";
import { bufferName, count } from "../arguments.ts";
import { DELEGATION_COLUMNS } from "../output/delegation.ts";
import { printPages } from "../output/list.ts";
import { pages } from "../pages.ts";
import { ownAccount, withAgent } from "../session.ts";

interface Options {
  all?: boolean;
  buffer?: string;
  mine?: boolean;
  limit?: number;
}

export function addDelegations(program: Command): void {
  program
    .command("delegations")
    .description("who has what until when")
    .option("--all", "also those that have ended, newest first")
    .option("--buffer <buffer>", "only of this buffer", bufferName)
    .option("--mine", "only your own")
    .option("--limit <count>", "at most so many", count)
    .action(({ limit, mine, ...filter }: Options, command: Command) =>
      withAgent(command, (agent, { json }) => {
        const input = { ...filter, ...(mine && { account: ownAccount() }) };
        const all = pages(
          (page: { cursor?: number; limit: number }) => agent.call("delegations.list", { ...input, ...page }),
          limit,
        );
        return printPages(all, DELEGATION_COLUMNS, { json, empty: "No delegations." });
      }),
    );
}

import type { Command } from "commander";
import { bufferName, count, delegationId } from "../arguments.ts";
import { DELEGATION_COLUMNS, factsOf } from "../output/delegation.ts";
import { factLines } from "../output/facts.ts";
import { printPages } from "../output/list.ts";
import { printJson, printJsonLine, printLine } from "../output/print.ts";
import { pages } from "../pages.ts";
import { untilInterrupted } from "../running/interruption.ts";
import { accountOf, withAgent } from "../session.ts";
import { changeLine } from "../watching/changes.ts";

interface Options {
  all?: boolean;
  buffer?: string;
  mine?: boolean;
  limit?: number;
}

export function addDelegations(program: Command): void {
  const delegations = program
    .command("delegations")
    .description("who has what until when")
    .option("--all", "also those that have ended, newest first")
    .option("--buffer <buffer>", "only of this buffer", bufferName)
    .option("--mine", "only your own")
    .option("--limit <count>", "at most so many", count)
    .action(({ limit, mine, ...filter }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const input = { ...filter, ...(mine && { account: await accountOf(agent) }) };
        const all = pages(
          (page: { cursor?: number; limit: number }) => agent.call("delegations.list", { ...input, ...page }),
          limit,
        );
        return printPages(all, DELEGATION_COLUMNS, { json, empty: "No delegations." });
      }),
    );
  delegations
    .command("get")
    .description("all about one delegation, also after its end")
    .argument("<id>", "which delegation", delegationId)
    .action((id: number, _options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const delegation = await agent.call("delegations.get", { id });
        await (json ? printJson(delegation) : printLine(factLines(factsOf(delegation)).join("\n")));
      }),
    );
  delegations
    .command("follow")
    .description("what becomes of one delegation, until its end")
    .argument("<id>", "which delegation", delegationId)
    .action((id: number, _options, command: Command) =>
      withAgent(command, (agent, { json }) =>
        untilInterrupted(async (signal) => {
          for await (const delegation of agent.subscribe("delegations.follow", { id }, { signal }))
            await (json ? printJsonLine(delegation) : printLine(changeLine(delegation)));
        }),
      ),
    );
}

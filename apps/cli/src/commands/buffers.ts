import type { Calls } from "@lendbuf/client/calls";
import { type Command, Option } from "commander";
import { bufferName, count, deviceName, tag } from "../arguments.ts";
import { BUFFER_COLUMNS, factsOf, TAKEN_COLUMNS } from "../output/buffer.ts";
import { factLines } from "../output/facts.ts";
import { printPages } from "../output/list.ts";
import { printJson, printLine } from "../output/print.ts";
import { pages } from "../pages.ts";
import { withAgent } from "../session.ts";
import { followTable } from "../watching/follow-table.ts";

interface Options {
  device?: string;
  tag?: string;
  search?: string;
  limit?: number;
  follow?: boolean;
}

export function addBuffers(program: Command): void {
  const buffers = program
    .command("buffers")
    .description("what can be lent, and who has it")
    .option("--device <device>", "only this device's", deviceName)
    .option("--tag <tag>", "only those with this tag", tag)
    .option("--search <text>", "only those with this in the name or description")
    .option("--limit <count>", "at most so many", count)
    .addOption(
      new Option("--follow", "those that are taken, as that changes").conflicts(["device", "tag", "search", "limit"]),
    )
    .action(({ follow, ...options }: Options, command: Command) =>
      withAgent(command, (agent, { json }) => (follow ? followTaken(agent, json) : list(agent, options, json))),
    );
  buffers
    .command("get")
    .description("all about one buffer")
    .argument("<buffer>", "which buffer", bufferName)
    .action((name: string, _options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const buffer = await agent.call("buffers.get", { name });
        await (json ? printJson(buffer) : printLine(factLines(factsOf(buffer)).join("\n")));
      }),
    );
}

function list(agent: Calls, { limit, ...filter }: Options, json: boolean): Promise<void> {
  const all = pages(
    (page: { cursor?: string; limit: number }) => agent.call("buffers.list", { ...filter, ...page }),
    limit,
  );
  return printPages(all, BUFFER_COLUMNS, { json, empty: "No buffers." });
}

function followTaken(agent: Calls, json: boolean): Promise<void> {
  return followTable((signal) => agent.subscribe("buffers.watch", {}, { signal }), TAKEN_COLUMNS, {
    json,
    title: (total) => `${total} of the buffers taken`,
    empty: "All buffers are free.",
  });
}

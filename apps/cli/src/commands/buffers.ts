import type { BufferView } from "@lendbuf/shared/buffer";
import { formatSize } from "@lendbuf/shared/size";
import type { Command } from "commander";
import { count, deviceName } from "../arguments.ts";
import { printPages } from "../output/list.ts";
import type { Column } from "../output/table.ts";
import { relative } from "../output/time.ts";
import { pages } from "../pages.ts";
import { withAgent } from "../session.ts";

interface Options {
  device?: string;
  search?: string;
  limit?: number;
}

export function addBuffers(program: Command): void {
  program
    .command("buffers")
    .description("what can be lent, and who has it")
    .option("--device <device>", "only this device's", deviceName)
    .option("--search <text>", "only those with this in the name or description")
    .option("--limit <count>", "at most so many", count)
    .action(({ limit, ...filter }: Options, command: Command) =>
      withAgent(command, (agent, { json }) => {
        const all = pages(
          (page: { cursor?: string; limit: number }) => agent.call("buffers.list", { ...filter, ...page }),
          limit,
        );
        return printPages(all, COLUMNS, { json, empty: "No buffers." });
      }),
    );
}

const COLUMNS: readonly Column<BufferView>[] = [
  { title: "BUFFER", cell: ({ name }) => name },
  { title: "SIZE", cell: ({ size }) => formatSize(size), align: "right", leaveOut: 4 },
  {
    title: "STATE",
    cell: ({ state }) => state,
    style: ({ state }) => (state === "free" ? "green" : state === "lent" || state === "offered" ? "cyan" : "red"),
  },
  { title: "HELD BY", cell: holders },
  { title: "WAITING", cell: ({ waiting }) => (waiting === 0 ? "" : String(waiting)), align: "right", leaveOut: 3 },
  { title: "ENDS", cell: ends, leaveOut: 2 },
  { title: "ABOUT", cell: ({ description }) => description, leaveOut: 1 },
];

function holders({ current, occupied }: BufferView): string {
  const seen = current.map(({ id, account }) => `${account} (${id})`);
  const hidden = occupied - current.length;
  if (hidden > 0) seen.push(`${hidden} other${hidden === 1 ? "" : "s"}`);
  return seen.join(", ");
}

/** When the last of the leases that can be seen ends. */
function ends({ current }: BufferView): string {
  const times = current.map(({ expiresAt }) => expiresAt).filter((at) => at !== null);
  return times.length === 0 ? "" : relative(Math.max(...times));
}

import type { DmaBufs } from "@lendbuf/shared/api";
import type { DmaBuf } from "@lendbuf/shared/holder";
import { formatSize } from "@lendbuf/shared/size";
import type { Command } from "commander";
import { count } from "../arguments.ts";
import { tellUnseen } from "../output/holder.ts";
import { printList } from "../output/list.ts";
import { printJson, printLine } from "../output/print.ts";
import type { Column } from "../output/table.ts";
import { pages } from "../pages.ts";
import { withAgent } from "../session.ts";

interface Options {
  search?: string;
  limit?: number;
}

export function addDmabufs(program: Command): void {
  program
    .command("dmabufs")
    .description("every dma-buf of this host, ours or not, and who holds it")
    .option("--search <text>", "only those with this in the name, exporter, holders or devices")
    .option("--limit <count>", "at most so many", count)
    .action(({ limit, ...filter }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const ask = (page: { cursor?: number; limit: number }) => agent.call("host.dmabufs", { ...filter, ...page });
        const seen: DmaBufs[] = [];
        for await (const page of pages(ask, limit)) seen.push(page);
        const whole = { ...seen.at(-1)!, items: seen.flatMap(({ items }) => items) };
        if (json) return printJson(whole);
        await printList(whole.items, COLUMNS, { json, empty: "No dma-buf that can be seen." });
        if (whole.total > whole.items.length) await printLine(`… and ${whole.total - whole.items.length} more`);
        tellUnseen(whole);
      }),
    );
}

const COLUMNS: readonly Column<DmaBuf>[] = [
  { title: "INODE", cell: ({ inode }) => String(inode), align: "right" },
  { title: "EXPORTER", cell: ({ exporter }) => exporter ?? "" },
  { title: "NAME", cell: ({ name }) => name ?? "", leaveOut: 2 },
  { title: "SIZE", cell: ({ size }) => (size === null ? "" : formatSize(size)), align: "right" },
  { title: "REFS", cell: ({ count: references }) => String(references ?? ""), align: "right", leaveOut: 1 },
  { title: "HELD BY", cell: describeHolders },
  { title: "ATTACHED", cell: ({ attachments }) => (attachments ? attachments.join(", ") : "?"), leaveOut: 3 },
  { title: "DELEGATION", cell: ({ delegation }) => String(delegation ?? ""), align: "right", leaveOut: 4 },
];

function describeHolders({ holders, total, unseen }: DmaBuf): string {
  const seen = holders.map(({ pid, command }) => `${command} (${pid})`);
  if (total > holders.length) seen.push(`${total - holders.length} more`);
  if (unseen) seen.push(`${unseen} unseen`);
  return seen.join(", ");
}

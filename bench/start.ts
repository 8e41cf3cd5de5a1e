import { join } from "node:path";
import type { Connection } from "@lendbuf/client/connection";
import { BenchAgent, temporaryFolder } from "./agent.ts";
import { fill } from "./history.ts";
import { timed } from "./numbers.ts";
import type { Line, Row } from "./table.ts";

const MANY = 100_000;
const STARTS = 5;
const PAGES = 7;

/** Starts, with an empty store and with full ones, and the first page of very many buffers. */
export async function start(): Promise<Line[]> {
  const empty = await starts("ready, empty store", () => {});
  const fillHistory = (directory: string) => fill(directory, "delegations", MANY);
  const history = await starts(`ready, ${MANY} delegations in history`, fillHistory, async (connection) =>
    requireMany(await connection.call("delegations.list", { all: true })),
  );
  const pages: number[] = [];
  const fillBuffers = (directory: string) => fill(directory, "buffers", MANY);
  const buffers = await starts(`ready, ${MANY} buffers`, fillBuffers, async (connection) => {
    for (let i = 0; i < PAGES; i++) {
      const { ms, result } = await timed(() => connection.call("buffers.list"));
      requireMany(result);
      pages.push(ms);
    }
  });
  return [
    "Start: from spawn to its Ready line",
    empty,
    { ...history, target: "≤ 1 s" },
    buffers,
    { what: `first page of ${MANY} buffers`, ours: pages, target: "≤ 20 ms" },
  ];
}

async function starts(
  what: string,
  prepare: (directory: string) => void,
  look?: (connection: Connection) => Promise<void>,
): Promise<Row> {
  const folder = temporaryFolder();
  try {
    prepare(join(folder.path, "state"));
    const ours: number[] = [];
    for (let i = 0; i < STARTS; i++) {
      await using agent = await BenchAgent.start({ folder: folder.path });
      ours.push(agent.readyMs);
      if (i === STARTS - 1) await look?.(await agent.connect());
    }
    return { what, ours };
  } finally {
    folder.remove();
  }
}

function requireMany({ total }: { total: number }): void {
  if (total < MANY) throw new Error(`the agent knows of ${total}, not ${MANY}`);
}

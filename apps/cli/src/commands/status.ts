import { formatDuration } from "@lendbuf/shared/duration";
import { harmless } from "@lendbuf/shared/harmless";
import type { Status } from "@lendbuf/shared/status";
import type { Command } from "commander";
import { DEVICE_COLUMNS } from "../output/device.ts";
import { printJson, printLine } from "../output/print.ts";
import { paint } from "../output/style.ts";
import { Table } from "../output/table.ts";
import { columnsOf, cut } from "../output/text.ts";
import { withAgent } from "../session.ts";

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("what the agent is, what it has, and what it worries about")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const status = await agent.call("status.get");
        if (json) await printJson(status);
        else await printLine(describe(status).join("\n"));
      }),
    );
}

function describe(status: Status): string[] {
  const { counts, store, limits } = status;
  const facts: [string, string][] = [
    [
      "agent",
      `${status.version}, pid ${status.pid}, uid ${status.uid}, up ${formatDuration(Date.now() - status.startedAt)}`,
    ],
    ["host", `${status.host}, Linux ${status.kernel}`],
    ["socket", status.socket],
    ["web", status.url ?? "shut"],
    ["store", store.state === "ok" ? `ok, in ${status.stateDirectory}` : `takes no new grants: ${store.problem}`],
    ["lent", `${counts.lent} of ${counts.buffers} buffers; ${counts.offered} offered, ${counts.waiting} waiting`],
    ["clients", String(counts.clients)],
    ["lease", `${formatDuration(limits.maxLeaseMs)} at most`],
  ];
  if (counts.revoking > 0) facts.push(["revoking", `${counts.revoking}, of these ${counts.unproven} unproven`]);
  if (store.unrecorded > 0) facts.push(["unrecorded", `${store.unrecorded} ends are enforced but not yet written`]);
  if (store.keptAside) facts.push(["kept aside", `a corrupt database: ${store.keptAside}`]);
  const width = columnsOf();
  return [
    ...facts.map(([name, value]) => `${paint(name.padEnd(11), "dim")}${cut(harmless(value), width - 11)}`),
    ...status.warnings.map((warning) => paint(`warning    ${harmless(warning)}`, "yellow")),
    "",
    ...new Table(DEVICE_COLUMNS).lines(status.devices),
  ];
}

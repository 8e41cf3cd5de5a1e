import type { Calls } from "@lendbuf/client/calls";
import { formatDuration } from "@lendbuf/shared/duration";
import { harmless } from "@lendbuf/shared/harmless";
import type { Status } from "@lendbuf/shared/status";
import type { Command } from "commander";
import { DEVICE_COLUMNS } from "../output/device.ts";
import { factLines } from "../output/facts.ts";
import { printJson, printJsonLine, printLine } from "../output/print.ts";
import { Screen } from "../output/screen.ts";
import { paint } from "../output/style.ts";
import { Table } from "../output/table.ts";
import { untilInterrupted } from "../running/interruption.ts";
import { withAgent } from "../session.ts";

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("what the agent is, what it has, and what it worries about")
    .option("--follow", "go on, as it changes, until Ctrl-C")
    .action(({ follow }: { follow?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (follow) return showChanges(agent, json);
        const status = await agent.call("status.get");
        if (json) await printJson(status);
        else await printLine(describe(status).join("\n"));
      }),
    );
}

function showChanges(agent: Calls, json: boolean): Promise<void> {
  return untilInterrupted(async (signal) => {
    const states = agent.subscribe("status.watch", {}, { signal });
    if (json) for await (const status of states) await printJsonLine(status);
    else if (process.stdout.isTTY) await showScreen(states);
    else for await (const status of states) await printLine(`${describe(status).join("\n")}\n`);
  });
}

async function showScreen(states: AsyncIterable<Status>): Promise<void> {
  let latest: Status | undefined;
  using screen = new Screen(() => (latest ? describe(latest) : []));
  for await (const status of states) {
    latest = status;
    screen.draw();
  }
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
  return [
    ...factLines(facts),
    ...status.warnings.map((warning) => paint(`warning    ${harmless(warning)}`, "yellow")),
    "",
    ...new Table(DEVICE_COLUMNS).lines(status.devices),
  ];
}

import type { Calls } from "@lendbuf/client/calls";
import type { DelegationsState } from "@lendbuf/shared/api";
import type { Command } from "commander";
import { printJsonLine, printLine } from "../output/print.ts";
import { Screen } from "../output/screen.ts";
import { interruption, isInterrupt } from "../running/interruption.ts";
import { withAgent } from "../session.ts";
import { Changes } from "../watching/changes.ts";
import { screenOf } from "../watching/screen-of.ts";

export function addWatch(program: Command): void {
  program
    .command("watch")
    .description("delegations as they come and go: a live table on a terminal, else lines")
    .action((_options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const states = agent.subscribe("delegations.watch", {}, { signal: interruption() });
        try {
          if (json) for await (const state of states) await printJsonLine(state);
          else if (process.stdout.isTTY) await showScreen(states);
          else await printChanges(agent, states);
        } catch (error) {
          if (!isInterrupt(error)) throw error;
        }
      }),
    );
}

async function showScreen(states: AsyncIterable<DelegationsState>): Promise<void> {
  let latest: DelegationsState | undefined;
  using screen = new Screen((size) => (latest ? screenOf(latest, size) : []));
  for await (const state of states) {
    latest = state;
    screen.draw();
  }
}

async function printChanges(agent: Calls, states: AsyncIterable<DelegationsState>): Promise<void> {
  const changes = new Changes((id) => agent.call("delegations.get", { id }));
  for await (const state of states) for (const line of await changes.since(state)) await printLine(line);
}

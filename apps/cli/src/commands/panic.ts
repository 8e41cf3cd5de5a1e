import type { Calls } from "@lendbuf/client/calls";
import type { RevokeSummary } from "@lendbuf/shared/api";
import type { Command } from "commander";
import { account, deviceName, tag } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { EXIT } from "../exit-codes.ts";
import { liveOf, type Scope } from "../live.ts";
import { UNFINISHED_COLUMNS } from "../output/delegation.ts";
import { printDone, printJson, tell } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { planRevokeAll } from "../planning/ends.ts";
import { delegations, dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options extends Scope {
  yes?: boolean;
  dryRun?: boolean;
}

const PROGRESS_MS = 1000;

export function addPanic(program: Command): void {
  program
    .command("panic")
    .description("end everything at once, or all of a device, an account or a tag")
    .option("--device <device>", "only this device's", deviceName)
    .option("--account <account>", "only this account's: alice, or uid:1000", account)
    .option("--tag <tag>", "only of the buffers with this tag", tag)
    .option("--yes", "do not show what it hits and ask before")
    .addOption(dryRunOption())
    .action(({ yes, dryRun, ...scope }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) =>
        dryRun ? showPlan(await planRevokeAll(agent, scope), json) : revokeAll(agent, scope, yes, json),
      ),
    );
}

export async function revokeAll(agent: Calls, scope: Scope, yes: boolean | undefined, json: boolean): Promise<void> {
  if (!yes) {
    const live = await liveOf(agent, scope);
    if (live.length > 0) await confirm(live, live.length);
  }
  const progress = setInterval(() => void tellProgress(agent).catch(() => {}), PROGRESS_MS);
  try {
    const summary = await agent.call("delegations.revokeAll", scope);
    if (json) await printJson(summary);
    else await printDone(describe(summary));
    if (summary.remaining > 0) process.exitCode = EXIT.unconfirmed;
  } finally {
    clearInterval(progress);
  }
}

/** A device that does not answer keeps the report for some seconds. */
async function tellProgress(agent: Calls): Promise<void> {
  const { total } = await agent.call("delegations.list", { states: ["revoking"], limit: 1 });
  if (total > 0) tell(`Waiting for the kernel to confirm the end of ${delegations(total)}.\n`);
}

function describe({ revoked, cancelled, remaining, unfinished, durationMs }: RevokeSummary): string {
  const done = `Revoked ${revoked}, cancelled ${cancelled}, in ${durationMs.toFixed(1)} ms.`;
  if (remaining === 0) return done;
  return [
    `${done} ${remaining} not confirmed by the kernel yet:`,
    ...new Table(UNFINISHED_COLUMNS).lines(unfinished),
    ...(remaining > unfinished.length ? [`… and ${remaining - unfinished.length} more`] : []),
    "The agent goes on trying; lendbuf watch shows how far it is.",
  ].join("\n");
}

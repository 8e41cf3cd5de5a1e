import type { Delegation } from "@lendbuf/shared/delegation";
import { formatDuration } from "@lendbuf/shared/duration";
import type { Command } from "commander";
import {
  account,
  bufferName,
  duration,
  exporterOption,
  leaseOption,
  priorityOption,
  purposeOption,
  shortenOption,
} from "../arguments.ts";
import { describeAccess, describePlace } from "../output/delegation.ts";
import { printJson, printLong } from "../output/print.ts";
import { relative } from "../output/time.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planRequest } from "../planning/requests.ts";
import { type RequestOptions, requestOf } from "../request.ts";
import { withAgent } from "../session.ts";

interface Options extends RequestOptions {
  to?: string;
  keep?: boolean;
  claimWithin?: number;
  dryRun?: boolean;
}

export function addDelegate(program: Command): void {
  program
    .command("delegate")
    .description("offer a buffer: to yourself, or as an operator to somebody else")
    .argument("<buffer>", "which buffer", bufferName)
    .option("--to <account>", "for whom: an account, uid:1000, or a user of the agent's host", account)
    .addOption(leaseOption())
    .option("--read-only", "reading is enough")
    .option("--shared", "others who share may have it at the same time")
    .option("--wait", "stand in line where it is taken")
    .addOption(shortenOption())
    .addOption(priorityOption())
    .option("--idle <duration>", "it ends when nobody was seen to have it for so long", duration)
    .option("--keep", "it stays when the client that claimed it disconnects")
    .addOption(purposeOption())
    .addOption(exporterOption())
    .option("--claim-within <duration>", "how long the offer stands", duration)
    .addOption(dryRunOption())
    .action((buffer: string, { to, keep, claimWithin, dryRun, ...request }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const wish = {
          ...requestOf(buffer, request),
          ...(to && { account: to }),
          ...(keep && { keep }),
          ...(claimWithin && { offerMs: claimWithin }),
        };
        if (dryRun) return showPlan(await planRequest(agent, wish, to ? `offer ${to}` : "offer"), json);
        const delegation = await agent.call("delegations.request", wish);
        if (json) await printJson(delegation);
        else await printLong(describe(delegation).join("\n"), String(delegation.id));
      }),
    );
}

function describe(delegation: Delegation): string[] {
  const { id, buffer, account, state, offerEndsAt, leaseMs } = delegation;
  const what = `${buffer}, ${describeAccess(delegation)}, ${formatDuration(leaseMs)} from the claim on`;
  const standing =
    state === "waiting"
      ? `waits in line, ${describePlace(delegation)}`
      : `is offered${offerEndsAt === null ? "" : `; the offer lapses ${relative(offerEndsAt)}`}`;
  return [
    `Delegation ${id} for ${account} ${standing}.`,
    what,
    "",
    `Claim it:   lendbuf claim ${id}`,
    `or run:     lendbuf claim ${id} -- COMMAND`,
    `Withdraw:   lendbuf release ${id}`,
  ];
}

import type { Calls } from "@lendbuf/client/calls";
import { isFinal } from "@lendbuf/shared/delegation";
import type { Command } from "commander";
import { delegationIds, deviceName, duration } from "../arguments.ts";
import { confirm } from "../confirm.ts";
import { EXIT } from "../exit-codes.ts";
import { usageFailure } from "../failure.ts";
import { getEach } from "../live.ts";
import { END_COLUMNS } from "../output/delegation.ts";
import { printDone, printJson } from "../output/print.ts";
import { Table } from "../output/table.ts";
import { planRevoke, planRevokeAll } from "../planning/ends.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { accountOf, withAgent } from "../session.ts";
import { revokeAll } from "./panic.ts";

interface Options {
  all?: boolean;
  device?: string;
  yes?: boolean;
  notice?: number;
  deviceWide?: boolean;
  dryRun?: boolean;
}

export function addRevoke(program: Command): void {
  program
    .command("revoke")
    .description("end delegations by force, and see the kernel confirm it")
    .argument("[id...]", "which delegations", delegationIds)
    .option("--all", "every delegation, offer and place in line")
    .option("--device <device>", "with --all: only this device's", deviceName)
    .option("--yes", "do not ask before other people's delegations end")
    .option("--notice <duration>", "tell the clients now, take the memory after so long", duration)
    .option("--device-wide", "where only a whole device can be taken back: end the others on it too")
    .addOption(dryRunOption())
    .action((ids: number[], options: Options, command: Command) => {
      check(ids, options);
      return withAgent(command, async (agent, { json }) => {
        if (options.dryRun)
          return showPlan(
            await (options.all ? planRevokeAll(agent, { device: options.device }) : planRevoke(agent, ids, options)),
            json,
          );
        await (options.all
          ? revokeAll(agent, { device: options.device }, options.yes, json)
          : revoke(agent, ids, options, json));
      });
    });
}

function check(ids: readonly number[], { all, device, notice, deviceWide }: Options): void {
  if (!all && ids.length === 0) throw usageFailure("Which delegation? Name its id, or --all.");
  if (all && ids.length > 0) throw usageFailure("Name ids or --all, not both.");
  if (!all && device) throw usageFailure("--device goes with --all.");
  if (all && deviceWide) throw usageFailure("--device-wide goes with ids: --all takes everything anyway.");
  if (all && notice) throw usageFailure("--notice goes with ids: --all takes everything at once.");
}

async function revoke(agent: Calls, ids: number[], { yes, notice, deviceWide }: Options, json: boolean): Promise<void> {
  if (!yes) {
    const own = await accountOf(agent);
    const others = (await getEach(agent, ids)).filter((it) => !isFinal(it.state) && it.account !== own);
    if (others.length > 0) await confirm(others, others.length);
  }
  const ended = await agent.call("delegations.revoke", {
    ids,
    ...(notice && { noticeMs: notice }),
    ...(deviceWide && { deviceWide }),
  });
  if (json) await printJson(ended);
  else await printDone(new Table(END_COLUMNS).lines(ended).join("\n"));
  if (ended.some(({ state }) => state === "revoking")) process.exitCode = EXIT.unconfirmed;
}

import type { Input } from "@lendbuf/shared/api";
import type { Command } from "commander";
import { deviceName, duration, moment } from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import { printDone, printJson } from "../output/print.ts";
import { clock } from "../output/time.ts";
import { planDrain, planUndrain } from "../planning/buffers.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { withAgent } from "../session.ts";

interface Options {
  reason: string;
  until?: number;
  for?: number;
  now?: boolean;
  notice?: number;
  dryRun?: boolean;
}

/** Subcommands of `device`. */
export function addDrain(device: Command): void {
  device
    .command("drain")
    .description("lend nothing new of a device; what is lent ends with its lease")
    .argument("<device>", "as `lendbuf devices` names it", deviceName)
    .requiredOption("--reason <text>", "why, shown to everybody")
    .option("--until <time>", "lift it then: 14:30, 2026-11-30 14:30, +2h", moment)
    .option("--for <duration>", "lift it after so long: 2h", duration)
    .option("--now", "do not wait for the leases: end them after notice")
    .option("--notice <duration>", "how long before that their clients are told", duration)
    .addOption(dryRunOption())
    .action((name: string, options: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const input = inputOf(name, options);
        if (options.dryRun) return showPlan(await planDrain(agent, name, options.now ?? false), json);
        const drained = await agent.call("devices.drain", input);
        if (json) return printJson(drained);
        const until = drained.drained?.until ?? null;
        await printDone(
          `Nothing new of ${name} is lent${until === null ? "" : ` until ${clock(until)}`}. Lend it again: lendbuf device undrain ${name}`,
        );
      }),
    );
  device
    .command("undrain")
    .description("lend it again")
    .argument("<device>", "as `lendbuf devices` names it", deviceName)
    .addOption(dryRunOption())
    .action((name: string, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planUndrain(agent, name), json);
        const device = await agent.call("devices.undrain", { name });
        await (json ? printJson(device) : printDone(`${name} is lent again.`));
      }),
    );
}

/** @throws a usage failure */
function inputOf(name: string, { reason, until, for: forMs, now, notice }: Options): Input<"devices.drain"> {
  if (until !== undefined && forMs !== undefined) throw usageFailure("Say either --until or --for.");
  if (notice !== undefined && !now)
    throw usageFailure("--notice goes with --now: without it leases run out by themselves.");
  const end = forMs === undefined ? until : Date.now() + forMs;
  return {
    name,
    reason,
    ...(end !== undefined && { until: end }),
    ...(now && { now }),
    ...(notice !== undefined && { noticeMs: notice }),
  };
}

import type { Input } from "@lendbuf/shared/api";
import type { Exporter } from "@lendbuf/shared/exporter";
import type { Command } from "commander";
import { account, bufferName, exporterOption, leaseOption, moment, purposeOption } from "../arguments.ts";
import { usageFailure } from "../failure.ts";
import { printJson, printLong } from "../output/print.ts";
import { clock, relative } from "../output/time.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planReserve } from "../planning/reservations.ts";
import { withAgent } from "../session.ts";

interface Options {
  from: number;
  to?: number;
  for?: number;
  account?: string;
  readOnly?: boolean;
  shared?: boolean;
  keep?: boolean;
  purpose?: string;
  exporter?: Exporter;
  dryRun?: boolean;
}

export function addReserve(program: Command): void {
  program
    .command("reserve")
    .description("have a buffer from then until then")
    .argument("<buffer>", "which buffer", bufferName)
    .requiredOption("--from <time>", "14:30, 2026-11-30 14:30, +2h", moment)
    .option("--to <time>", "until when", moment)
    .addOption(leaseOption())
    .option("--account <account>", "for whom, as an operator: uid:1000 or a user's name", account)
    .option("--read-only", "reading is enough")
    .option("--shared", "others who share may have it at the same time")
    .option("--keep", "it stays when the client that claimed it disconnects")
    .addOption(purposeOption())
    .addOption(exporterOption())
    .addOption(dryRunOption())
    .action((buffer: string, { dryRun, ...options }: Options, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        const input = inputOf(buffer, options);
        if (dryRun) return showPlan(await planReserve(agent, input), json);
        const reservation = await agent.call("reservations.create", input);
        if (json) return printJson(reservation);
        const { id, from, to } = reservation;
        const lines = [
          `Reservation ${id}: ${buffer} from ${clock(from)} to ${clock(to)}, ${relative(from)}.`,
          "Then it becomes a delegation that is offered: lendbuf delegations --mine shows it, lendbuf claim takes it.",
          `Cancel:     lendbuf reservations cancel ${id}`,
        ];
        await printLong(lines.join("\n"), String(id));
      }),
    );
}

/** @throws a usage failure */
function inputOf(buffer: string, options: Omit<Options, "dryRun">): Input<"reservations.create"> {
  const { from, to, for: forMs, readOnly, shared, keep, purpose, exporter } = options;
  if ((to === undefined) === (forMs === undefined))
    throw usageFailure("Say until when: either --to TIME or --for DURATION.");
  return {
    buffer,
    from,
    to: to ?? from + forMs!,
    ...(options.account && { account: options.account }),
    ...(readOnly && { access: "read-only" as const }),
    ...(shared && { share: "shared" as const }),
    ...(keep && { keep }),
    ...(purpose && { purpose }),
    ...(exporter && { exporter }),
  };
}

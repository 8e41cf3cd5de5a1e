import type { Calls } from "@lendbuf/client/calls";
import { type Command, Option } from "commander";
import { bufferName, count, reservationId } from "../arguments.ts";
import { printPages } from "../output/list.ts";
import { printDone, printJson } from "../output/print.ts";
import { RESERVATION_COLUMNS } from "../output/reservation.ts";
import { pages } from "../pages.ts";
import { dryRunOption, showPlan } from "../planning/plan.ts";
import { planCancel } from "../planning/reservations.ts";
import { accountOf, withAgent } from "../session.ts";
import { followTable } from "../watching/follow-table.ts";

interface Options {
  all?: boolean;
  buffer?: string;
  mine?: boolean;
  limit?: number;
  follow?: boolean;
}

export function addReservations(program: Command): void {
  const reservations = program
    .command("reservations")
    .description("what is reserved ahead")
    .option("--all", "also those that are over, the last first")
    .option("--buffer <buffer>", "only of this buffer", bufferName)
    .option("--mine", "only your own")
    .option("--limit <count>", "at most so many", count)
    .addOption(new Option("--follow", "as that changes").conflicts(["all", "mine", "limit"]))
    .action(({ follow, ...options }: Options, command: Command) =>
      withAgent(command, (agent, { json }) =>
        follow ? followReserved(agent, options.buffer, json) : list(agent, options, json),
      ),
    );
  reservations
    .command("cancel")
    .description("give one up before its time has come")
    .argument("<id>", "which reservation", reservationId)
    .addOption(dryRunOption())
    .action((id: number, { dryRun }: { dryRun?: boolean }, command: Command) =>
      withAgent(command, async (agent, { json }) => {
        if (dryRun) return showPlan(await planCancel(agent, id), json);
        const reservation = await agent.call("reservations.cancel", { id });
        if (json) return printJson(reservation);
        await printDone(`Reservation ${id} of ${reservation.buffer} is ${reservation.state}.`);
      }),
    );
}

async function list(agent: Calls, { limit, mine, ...filter }: Options, json: boolean): Promise<void> {
  const input = { ...filter, ...(mine && { account: await accountOf(agent) }) };
  const all = pages(
    (page: { cursor?: string; limit: number }) => agent.call("reservations.list", { ...input, ...page }),
    limit,
  );
  return printPages(all, RESERVATION_COLUMNS, { json, empty: "Nothing is reserved." });
}

function followReserved(agent: Calls, buffer: string | undefined, json: boolean): Promise<void> {
  const input = buffer === undefined ? {} : { buffer };
  return followTable((signal) => agent.subscribe("reservations.watch", input, { signal }), RESERVATION_COLUMNS, {
    json,
    title: (total) => `${total} reserved ahead`,
    empty: "Nothing is reserved.",
  });
}

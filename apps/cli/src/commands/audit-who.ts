import type { Holding } from "@lendbuf/shared/audit";
import type { Command } from "commander";
import { bufferName, pastMoment } from "../arguments.ts";
import { describeClient } from "../output/delegation.ts";
import { printPages } from "../output/list.ts";
import type { Column } from "../output/table.ts";
import { clock } from "../output/time.ts";
import { pages } from "../pages.ts";
import { withAgent } from "../session.ts";

const COLUMNS: readonly Column<Holding>[] = [
  { title: "ID", cell: ({ delegation }) => String(delegation.id), align: "right" },
  { title: "ACCOUNT", cell: ({ delegation }) => delegation.account },
  { title: "CLIENT", cell: ({ client }) => describeClient(client), leaveOut: 2 },
  { title: "THEN", cell: ({ state }) => state },
  { title: "FROM", cell: ({ from }) => clock(from) },
  { title: "UNTIL", cell: ({ until }) => (until === null ? "still" : clock(until)) },
  { title: "ENDED", cell: describeEnd, leaveOut: 1 },
];

export function addAuditWho(audit: Command): void {
  audit
    .command("who")
    .description("who had a buffer at some time, and how it ended")
    .argument("<buffer>", "which buffer", bufferName)
    .requiredOption("--at <time>", 'when: "2026-11-24 15:00", "tuesday 15:00", "2h ago"', pastMoment)
    .action((buffer: string, { at }: { at: number }, command: Command) =>
      withAgent(command, (agent, { json }) => {
        const all = pages((page: { cursor?: number; limit: number }) =>
          agent.call("audit.who", { buffer, at, ...page }),
        );
        return printPages(all, COLUMNS, { json, empty: `Nobody had ${buffer} at ${clock(at)}.` });
      }),
    );
}

function describeEnd({ delegation }: Holding): string {
  const { state, reason, endedAt, proof, revocation } = delegation;
  if (endedAt !== null) return `${reason}, ${clock(endedAt)}${proof ? ` by ${proof.method}` : ""}`;
  return state === "revoking" ? `not yet: ${revocation?.waitingFor ?? "it is being taken back"}` : "not yet";
}

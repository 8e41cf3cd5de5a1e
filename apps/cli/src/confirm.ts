import type { Delegation } from "@lendbuf/shared/delegation";
import { ask } from "./ask.ts";
import { EXIT } from "./exit-codes.ts";
import { Failure, usageFailure } from "./failure.ts";
import { DELEGATION_COLUMNS } from "./output/delegation.ts";
import { tell } from "./output/print.ts";
import { Table } from "./output/table.ts";
import { columnsOf } from "./output/text.ts";

const SHOWN = 20;

/** Shows what would end and asks; throws unless the answer is yes. */
export async function confirm(delegations: readonly Delegation[], total: number): Promise<void> {
  const ends = total === 1 ? "1 delegation" : `${total} delegations`;
  if (!process.stdin.isTTY || !process.stderr.isTTY)
    throw usageFailure(`This ends ${ends}, and there is no terminal to ask on. Add --yes if that is meant.`);
  const lines = new Table(DELEGATION_COLUMNS, columnsOf(process.stderr)).lines(delegations.slice(0, SHOWN));
  if (total > SHOWN) lines.push(`… and ${total - SHOWN} more`);
  tell(`${lines.join("\n")}\n`);
  const answer = await ask(`End ${total === 1 ? "it" : `all ${total}`}? [y/N] `);
  if (!/^y(es)?$/i.test(answer.trim())) throw new Failure("CANCELLED", EXIT.failed, "Nothing was ended.");
}

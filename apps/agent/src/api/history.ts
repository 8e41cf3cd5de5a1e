import type { Delegation, State } from "@lendbuf/shared/delegation";
import { isFinal, STATES } from "@lendbuf/shared/delegation";
import type { Core } from "../core.ts";
import { type Live, recordOf, viewOf, viewOfRecord } from "../delegations/live.ts";

export interface DelegationQuery {
  buffer?: string | undefined;
  account?: string | undefined;
  states?: State[] | undefined;
  /** Also those that have ended. */
  all: boolean;
  /** The id before which to go on. */
  cursor?: number | undefined;
}

/** Newest first: the live ones from memory, with `all` those that have ended from the store. */
export function listDelegations(core: Core, query: DelegationQuery): { found: Iterable<Delegation>; total: number } {
  return query.all || query.states?.some(isFinal) ? fromStore(core, query) : fromMemory(core, query);
}

function fromMemory(core: Core, { buffer, account, states, cursor }: DelegationQuery) {
  const matching = [...core.ledger.live.values()].filter(
    ({ record }) =>
      (buffer === undefined || record.buffer === buffer) &&
      (account === undefined || record.account === account) &&
      (states === undefined || states.includes(record.state)),
  );
  matching.sort((a, b) => b.record.id - a.record.id);
  const page = cursor === undefined ? matching : matching.filter(({ record }) => record.id < cursor);
  return { found: viewsOf(page), total: matching.length };
}

function* viewsOf(lives: readonly Live[]): Iterable<Delegation> {
  for (const live of lives) yield viewOf(live);
}

function fromStore(core: Core, { buffer, account, states = [...STATES], cursor }: DelegationQuery) {
  const conditions = [`state IN (${states.map(() => "?").join(", ")})`];
  const values: (string | number)[] = [...states];
  if (buffer !== undefined) conditions.push("buffer = ?") && values.push(buffer);
  if (account !== undefined) conditions.push("account = ?") && values.push(account);
  const where = conditions.join(" AND ");
  const [row] = core.store.all<{ total: number }>(
    `SELECT count(*) AS total FROM delegations WHERE ${where}`,
    ...values,
  );
  const after = cursor === undefined ? "" : " AND id < ?";
  if (cursor !== undefined) values.push(cursor);
  const rows = core.store.iterate<{ id: number; record: string }>(
    `SELECT id, record FROM delegation_records WHERE ${where}${after} ORDER BY id DESC`,
    ...values,
  );
  return { found: views(core, rows), total: row?.total ?? 0 };
}

function* views(core: Core, rows: Iterable<{ id: number; record: string }>): Iterable<Delegation> {
  for (const { id, record } of rows) {
    const live = core.ledger.live.get(id);
    yield live ? viewOf(live) : viewOfRecord(recordOf(JSON.parse(record)));
  }
}

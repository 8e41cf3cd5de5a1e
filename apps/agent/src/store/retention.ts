import type { AuditHead } from "@lendbuf/shared/audit";
import { SPAN } from "./spans.ts";
import type { Draft, Store } from "./store.ts";

/** Rows that go, or are carried over, between two looks at what else is to be done. */
const STEP = 200;

/** Entries that only tell of others that went: for their sake alone nothing need go. */
const BOOKKEEPING =
  "('audit.anchored', 'delegation.carried', 'buffer.carried', 'hold.carried', 'account.carried', 'rules.carried')";

/**
 * Drops the entries that are older than all of `before`, with the records of the delegations that ended then. First what lives on is
 * recorded anew, then the place where the chain will begin, and only then something goes: interrupted at any point it is taken up by the
 * next call, and what is left replays to the same state. Answers how many entries went.
 * @throws AgentError STORE_READ_ONLY; what SQLite answers
 */
export async function dropOld(store: Store, before: number, live: Iterable<number>): Promise<number> {
  const dropped = await sweep(store);
  const cut = await cutOf(store, before);
  if (!cut) return dropped;
  await carryDelegations(store, cut, [...live]);
  await carryNamed(store, cut, "buffer", "SELECT name, definition FROM buffers", (name) => ({ buffer: name }));
  await carryNamed(store, cut, "account", "SELECT name, definition FROM accounts", (name) => ({ account: name }));
  await carryNamed(store, cut, "hold", HOLDS, (name) => ({ buffer: name }));
  carryHooks(store);
  carryRules(store);
  const detail = { ...cut, from: store.tail, before, lastId: lastId(store) };
  store.record({ at: Date.now(), actor: "agent", action: "audit.anchored", detail });
  return dropped + (await sweep(store));
}

/** The highest id that any delegation had, also one whose record went: ids are never used again. */
export function lastId(store: Store): number {
  const [row] = store.all<{ last: number }>(
    `SELECT max(coalesce((SELECT max(id) FROM delegations), 0), coalesce((SELECT last_id FROM audit_anchor), 0)) AS last`,
  );
  return row?.last ?? 0;
}

/** The last of the entries that are all older: the clock may have been set, and then a newer one keeps those after it. */
async function cutOf(store: Store, before: number): Promise<AuditHead | undefined> {
  let isWorthIt = false;
  let last = store.tail - 1;
  for (;;) {
    const [span] = store.all<{ kept: number | null; last: number | null; facts: number }>(
      `SELECT min(CASE WHEN at >= ? THEN seq END) AS kept, max(seq) AS last,
         sum(at < ? AND action NOT IN ${BOOKKEEPING}) AS facts FROM audit WHERE seq > ? AND seq <= ?`,
      before,
      before,
      last,
      last + SPAN,
    );
    if (!span?.last) break;
    isWorthIt ||= span.facts > 0 && span.kept !== last + 1;
    last = span.kept === null ? span.last : span.kept - 1;
    if (span.kept !== null) break;
    await new Promise(setImmediate);
  }
  const [cut] = isWorthIt ? store.all<AuditHead>("SELECT seq, hash FROM audit WHERE seq = ?", last) : [];
  return cut && { seq: cut.seq, hash: cut.hash };
}

/** Their entries may go; each is recorded once more, whole. */
async function carryDelegations(store: Store, cut: AuditHead, live: readonly number[]): Promise<void> {
  for (const [i, id] of live.entries()) {
    const [row] = store.all<{ state: string; buffer: string; account: string; record: string }>(
      `SELECT state, buffer, account, record FROM delegations
       WHERE id = ? AND first_seq <= ? AND state IN ('waiting', 'offered', 'active', 'revoking')
         AND NOT EXISTS (SELECT 1 FROM carried WHERE subject = 'delegation ' || id AND seq > ?)`,
      id,
      cut.seq,
      cut.seq,
    );
    if (row) {
      const { record, ...subject } = row;
      const detail = JSON.parse(record) as object;
      store.record({
        at: Date.now(),
        actor: "agent",
        action: "delegation.carried",
        delegation: id,
        ...subject,
        detail,
      });
    }
    if (i % STEP === STEP - 1) await new Promise(setImmediate);
  }
}

const HOLDS = "SELECT buffer AS name, json_object('since', since, 'reason', reason) AS definition FROM holds";

/** Those that are still to run; there are few, and not for long. */
function carryHooks(store: Store): void {
  const rows = store.all<{ ended: string }>("SELECT ended FROM pending_hooks ORDER BY delegation");
  const ended = rows.map((row) => JSON.parse(row.ended) as object);
  if (ended.length > 0) store.record({ at: Date.now(), actor: "agent", action: "hooks.pending", detail: { ended } });
}

/** All in one entry: their order counts. */
function carryRules(store: Store): void {
  const rows = store.all<{ definition: string }>("SELECT definition FROM rules ORDER BY rowid");
  const rules = rows.map(({ definition }) => JSON.parse(definition) as object);
  if (rules.length > 0) store.record({ at: Date.now(), actor: "agent", action: "rules.carried", detail: { rules } });
}

async function carryNamed(
  store: Store,
  cut: AuditHead,
  noun: "buffer" | "account" | "hold",
  all: string,
  subjectOf: (name: string) => Partial<Draft>,
): Promise<void> {
  for (;;) {
    const rows = store.all<{ name: string; definition: string }>(
      `SELECT name, definition FROM (${all})
       WHERE NOT EXISTS (SELECT 1 FROM carried WHERE subject = '${noun} ' || name AND seq > ?) LIMIT ?`,
      cut.seq,
      STEP,
    );
    for (const { name, definition } of rows) {
      const detail = JSON.parse(definition) as object;
      store.record({ at: Date.now(), actor: "agent", action: `${noun}.carried`, ...subjectOf(name), detail });
    }
    if (rows.length < STEP) return;
    await new Promise(setImmediate);
  }
}

/** Removes what the anchor lets go; the records first, for they are read together with their last entry. */
async function sweep(store: Store): Promise<number> {
  const { anchor } = store;
  if (!anchor) return 0;
  const [{ oldest } = { oldest: null }] = store.all<{ oldest: number | null }>("SELECT min(seq) AS oldest FROM audit");
  if (oldest === null || oldest > anchor.seq) return 0;
  const [{ first, last } = { first: null, last: null }] = store.all<{ first: number | null; last: number | null }>(
    "SELECT min(id) AS first, max(id) AS last FROM delegations",
  );
  for (let id = first ?? 0; id <= (last ?? -1); id += STEP) {
    const ended = "state IN ('revoked', 'cancelled')";
    store.run(
      `DELETE FROM delegations WHERE id >= ? AND id < ? AND last_seq <= ? AND ${ended}`,
      id,
      id + STEP,
      anchor.seq,
    );
    await new Promise(setImmediate);
  }
  store.run("DELETE FROM carried WHERE seq <= ?", anchor.seq);
  let dropped = 0;
  for (let seq = oldest; seq <= anchor.seq; seq += STEP) {
    dropped += store.run("DELETE FROM audit WHERE seq >= ? AND seq < ? AND seq <= ?", seq, seq + STEP, anchor.seq);
    await new Promise(setImmediate);
  }
  return dropped;
}

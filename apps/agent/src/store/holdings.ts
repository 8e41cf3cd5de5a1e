import type { AuditRow } from "@lendbuf/shared/audit";
import type { State } from "@lendbuf/shared/delegation";
import type { Store } from "./store.ts";

/** Rows of delegations that are looked at in one go. */
const STEP = 5000;
/** Delegations whose entries are read in one go. */
const AT_ONCE = 100;

interface Candidate {
  id: number;
  first_seq: number;
  last_seq: number;
}

/** What a delegation was at some time, by its entries in the audit. */
export interface HeldThen {
  id: number;
  state: State;
  from: number;
  until: number | null;
  client: { pid: number; uid: number; command: string | null } | null;
}

interface Patch {
  state?: State;
  client?: HeldThen["client"];
  claimedAt?: number;
  offeredAt?: number;
  endedAt?: number;
}

/**
 * The delegations that occupied a buffer at some time, the newest first. Where the clock was set back meanwhile, a time may have been twice:
 * whoever had it at either is told.
 */
export async function* heldAt(store: Store, buffer: string, at: number, before?: number): AsyncGenerator<HeldThen> {
  const [{ last = 0 } = {}] = store.all<{ last: number }>("SELECT coalesce(max(id), 0) AS last FROM delegations");
  let high = Math.min(last, (before ?? Number.MAX_SAFE_INTEGER) - 1);
  for (; high > 0; high -= STEP) {
    for (const [i, candidate] of candidates(store, buffer, at, high).entries()) {
      const held = heldBy(store, candidate, at);
      if (held) yield held;
      if (i % AT_ONCE === AT_ONCE - 1) await new Promise(setImmediate);
    }
    await new Promise(setImmediate);
  }
}

/** Those that had it at all, and whose time, from the offer or the claim to the end, has that moment. */
function candidates(store: Store, buffer: string, at: number, high: number): Candidate[] {
  return store.all<Candidate>(
    `SELECT id, first_seq, last_seq FROM (
       SELECT r.id, first_seq, last_seq,
         coalesce(json_extract(r.record, '$.offeredAt'), json_extract(r.record, '$.claimedAt')) AS began,
         coalesce(json_extract(r.record, '$.endedAt'), ${FOREVER}) AS ended
       FROM delegation_records r JOIN delegations USING (id) WHERE r.id > ? AND r.id <= ? AND r.buffer = ?)
     WHERE ? BETWEEN min(began, ended) AND max(began, ended) ORDER BY id DESC`,
    high - STEP,
    high,
    buffer,
    at,
  );
}

const FOREVER = Number.MAX_SAFE_INTEGER;

/** The last of its times in one state and with one process that has that time. */
function heldBy(store: Store, candidate: Candidate, at: number): HeldThen | undefined {
  let now: Pick<HeldThen, "state" | "client" | "from"> | undefined;
  let found: HeldThen | undefined;
  const { id } = candidate;
  for (const row of rowsOf(store, candidate)) {
    const patch = JSON.parse(row.detail) as Patch;
    const state = patch.state ?? now?.state;
    const client = patch.client === undefined ? (now?.client ?? null) : patch.client;
    if (state === undefined || (now && now.state === state && isSame(now.client, client))) continue;
    const since = sinceOf(patch, state) ?? row.at;
    if (now && OCCUPIES.has(now.state) && isWithin(at, now.from, since)) found = { id, ...now, until: since };
    now = { state, client, from: since };
  }
  return now && OCCUPIES.has(now.state) && now.from <= at ? { id, ...now, until: null } : found;
}

/** An entry is written a little later, and one that carries over what lives on long after. */
function sinceOf({ claimedAt, offeredAt, endedAt }: Patch, state: State): number | undefined {
  if (state === "active") return claimedAt;
  return state === "offered" ? offeredAt : endedAt;
}

const OCCUPIES = new Set<State>(["offered", "active", "revoking"]);

function isSame(one: HeldThen["client"], other: HeldThen["client"]): boolean {
  return one?.pid === other?.pid && one?.uid === other?.uid;
}

function isWithin(at: number, from: number, until: number): boolean {
  return at >= Math.min(from, until) && at < Math.max(from, until);
}

function rowsOf(store: Store, { id, first_seq, last_seq }: Candidate): AuditRow[] {
  return store.all<AuditRow>(
    `SELECT * FROM audit WHERE seq BETWEEN ? AND ?
       AND (delegation = ? OR EXISTS (SELECT 1 FROM json_each(audit.delegations) WHERE value = ?)) ORDER BY seq`,
    first_seq,
    last_seq,
    id,
    id,
  );
}

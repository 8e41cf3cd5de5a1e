import type { AuditRow } from "@lendbuf/shared/audit";
import type { State } from "@lendbuf/shared/delegation";
import type { Store } from "./store.ts";

/** Rows of delegations that are looked at in one go. */
const STEP = 5000;

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
    for (const { id } of candidates(store, buffer, at, high)) {
      const held = heldBy(store, id, at);
      if (held) yield held;
    }
    await new Promise(setImmediate);
  }
}

/** Those whose life, from the request to the end, has that time. */
function candidates(store: Store, buffer: string, at: number, high: number): { id: number }[] {
  return store.all<{ id: number }>(
    `SELECT id FROM (
       SELECT id, json_extract(record, '$.requestedAt') AS began, coalesce(json_extract(record, '$.endedAt'), ${FOREVER}) AS ended
       FROM delegation_records WHERE id > ? AND id <= ? AND buffer = ?)
     WHERE ? BETWEEN min(began, ended) AND max(began, ended) ORDER BY id DESC`,
    high - STEP,
    high,
    buffer,
    at,
  );
}

const FOREVER = Number.MAX_SAFE_INTEGER;

/** The last of its times in one state and with one process that has that time. */
function heldBy(store: Store, id: number, at: number): HeldThen | undefined {
  let now: Pick<HeldThen, "state" | "client" | "from"> | undefined;
  let found: HeldThen | undefined;
  for (const row of rowsOf(store, id)) {
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

function rowsOf(store: Store, id: number): AuditRow[] {
  return store.all<AuditRow>(
    `SELECT audit.* FROM audit, (SELECT first_seq, last_seq FROM delegations WHERE id = ?) d
     WHERE seq BETWEEN d.first_seq AND d.last_seq
       AND (delegation = ? OR EXISTS (SELECT 1 FROM json_each(audit.delegations) WHERE value = ?)) ORDER BY seq`,
    id,
    id,
    id,
  );
}

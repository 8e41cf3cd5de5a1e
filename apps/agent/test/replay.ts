import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { AuditRow } from "@lendbuf/shared/audit";
import { Store } from "../src/store/store.ts";
import { temporaryFolder } from "./harness.ts";

/** All that a store says of the state: by table, a line a row. */
export type Books = Readonly<Record<string, readonly string[]>>;

/** Of what must not stand in the audit, and the audit itself. */
const ELSEWHERE = ["audit", "passwords", "sessions", "tokens"];

/** What a store has, and what comes of a new one that is fed with the first one's audit and nothing else. Of a state folder that no agent uses, and none of whose entries have gone. */
export function replay(stateDirectory: string): { kept: Books; replayed: Books } {
  const folder = temporaryFolder();
  cpSync(stateDirectory, join(folder, "kept"), { recursive: true });
  const kept = new Store({ directory: join(folder, "kept"), durability: "NORMAL" });
  const replayed = new Store({ directory: join(folder, "replayed"), durability: "NORMAL" });
  try {
    for (const row of kept.iterate<AuditRow>("SELECT * FROM audit ORDER BY seq")) feed(replayed, row);
    return { kept: booksOf(kept), replayed: booksOf(replayed) };
  } finally {
    kept.close();
    replayed.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** As it was recorded; its place and its hash are found anew. */
function feed(store: Store, row: AuditRow): void {
  const { at, actor, action, delegation, delegations, buffer, account, state, detail } = row;
  store.record({
    at,
    actor,
    action,
    detail: JSON.parse(detail),
    ...(delegation !== null && { delegation }),
    ...(delegations !== null && { delegations: JSON.parse(delegations) }),
    ...(buffer !== null && { buffer }),
    ...(account !== null && { account }),
    ...(state !== null && { state }),
  });
}

function booksOf(store: Store): Books {
  const tables = store
    .all<{ name: string }>("SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name")
    .filter(({ name }) => !ELSEWHERE.includes(name))
    .map(({ name }) => [name, store.all(`SELECT * FROM ${name} ORDER BY 1`).map((row) => JSON.stringify(row))]);
  return { head: [JSON.stringify(store.head)], ...Object.fromEntries(tables) };
}

import { type AuditHead, type AuditRow, type AuditVerdict, GENESIS } from "@lendbuf/shared/audit";
import { hashOf } from "./chain.ts";
import type { Store } from "./store.ts";

const CHUNK = 2000;

/** The walk along the chain, up to where it got. */
interface Walk {
  seq: number;
  hash: string;
  entries: number;
  /** A head that was kept elsewhere, until it was passed. */
  kept: AuditHead | undefined;
  /** Whether the entry that says what was dropped has been passed. */
  isAnchored: boolean;
}

/** Recomputes the whole chain, in steps, so that the agent stays at work meanwhile. With `kept`: also whether that is still in it. */
export async function verifyAudit(store: Store, kept?: AuditHead): Promise<AuditVerdict> {
  const { anchor } = store;
  const walk: Walk = { ...(anchor ?? { seq: 0, hash: GENESIS }), entries: 0, kept, isAnchored: anchor === null };
  const verdict = (problem: string | null, seq = walk.seq + 1): AuditVerdict => ({
    ok: problem === null,
    entries: walk.entries,
    head: problem === null && walk.entries > 0 ? walk.hash : null,
    anchor,
    broken: problem === null ? null : { seq, problem },
  });
  if (kept && kept.seq <= walk.seq && kept.hash !== walk.hash)
    return verdict(`it was dropped by age, so nothing tells whether it was ${kept.hash}: keep a newer head`, kept.seq);
  for (;;) {
    const rows = store.all<AuditRow>("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", walk.seq, CHUNK);
    for (const row of rows) {
      const problem = step(walk, row, anchor);
      if (problem) return verdict(problem, row.seq);
    }
    if (rows.length < CHUNK) return verdict(problemAtEnd(store, walk));
    await new Promise(setImmediate);
  }
}

function step(walk: Walk, row: AuditRow, anchor: AuditHead | null): string | null {
  if (row.seq !== walk.seq + 1) return `entry ${walk.seq + 1} is missing`;
  if (hashOf(row, walk.hash) !== row.hash) return "its hash does not fit its contents and its predecessor";
  if (walk.kept?.seq === row.seq && walk.kept.hash !== row.hash)
    return "it is not the one whose hash was kept: the audit was rewritten";
  if (anchor && row.action === "audit.anchored") {
    const { seq, hash } = JSON.parse(row.detail) as AuditHead;
    walk.isAnchored ||= seq === anchor.seq && hash === anchor.hash;
  }
  walk.seq = row.seq;
  walk.hash = row.hash;
  walk.entries++;
  return null;
}

function problemAtEnd({ head }: Store, walk: Walk): string | null {
  if (walk.seq < head.seq || walk.hash !== head.hash) return "entries at the end are missing";
  if (walk.kept && walk.kept.seq > walk.seq)
    return `entry ${walk.kept.seq}, whose hash was kept, is missing: entries at the end were cut off`;
  if (!walk.isAnchored) return "older entries are missing, and no entry says that they were dropped";
  return null;
}

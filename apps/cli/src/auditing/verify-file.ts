import { createHash } from "node:crypto";
import { type AuditHead, chainedText, GENESIS } from "@lendbuf/shared/audit";
import { type ExportedRow, readExport } from "./exported.ts";

export interface FileVerdict {
  ok: boolean;
  entries: number;
  /** The places of the first and the last entry. */
  first: number | null;
  head: AuditHead | null;
  /** Places between the first and the last where entries are left out, as by an export with a filter. */
  gaps: number;
  broken: { seq: number; problem: string } | null;
}

/** Recomputes the chain of an exported file, each entry by itself and all as a chain. With `kept`: also whether that is in it. */
export async function verifyFile(path: string, kept?: AuditHead): Promise<FileVerdict> {
  const verdict: FileVerdict = { ok: true, entries: 0, first: null, head: null, gaps: 0, broken: null };
  let isKeptThere = kept === undefined;
  const broken = (seq: number, problem: string): FileVerdict => ({ ...verdict, ok: false, broken: { seq, problem } });
  for await (const row of readExport(path)) {
    const problem = problemOf(row, verdict.head);
    if (problem) return broken(row.seq, problem);
    if (kept?.seq === row.seq) {
      if (kept.hash !== row.hash)
        return broken(row.seq, "it is not the one whose hash was kept: the audit was rewritten");
      isKeptThere = true;
    }
    if (verdict.head && row.seq > verdict.head.seq + 1) verdict.gaps++;
    verdict.first ??= row.seq;
    verdict.head = { seq: row.seq, hash: row.hash };
    verdict.entries++;
  }
  return isKeptThere ? verdict : broken(kept!.seq, "the entry whose hash was kept is not in the file");
}

function problemOf(row: ExportedRow, before: AuditHead | null): string | null {
  if (before && row.seq <= before.seq) return `it stands after entry ${before.seq}`;
  const isNext = row.seq === (before?.seq ?? 0) + 1;
  // An entry whose predecessor was dropped by age has only the one in the file to go by.
  const previous = isNext ? (before?.hash ?? GENESIS) : row.previous;
  if (previous === null) return null;
  if (row.previous !== null && row.previous !== previous && isNext && before)
    return "its predecessor's hash is another than that of the entry before it";
  const hash = createHash("sha256").update(chainedText(row, previous)).digest("hex");
  return hash === row.hash ? null : "its hash does not fit its contents and its predecessor";
}

import { closeSync, mkdirSync, openSync, readdirSync, readFileSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "@lendbuf/native/addon";
import { z } from "zod";

const LastWord = z.object({
  version: z.literal(1),
  instance: z.string(),
  complete: z.literal(true),
  exports: z.int(),
  unrevoked: z.array(z.object({ id: z.int(), errno: z.string() })),
});

/** What is known of a warden that an earlier agent started. */
export type Testimony =
  /** It still works at its revokes. */
  | { kind: "working" }
  /** Every export that it made is revoked, but these. */
  | { kind: "spoken"; unrevoked: Map<number, string> }
  /** It died without a word, or its file is gone. */
  | { kind: "silent" };

/** Where wardens leave what the next agent needs to know. */
export function folder(stateDirectory: string): string {
  return join(stateDirectory, "wardens");
}

/** Before each warden: what could not be written at the agent's start may be writable by now. */
export function makeFolder(stateDirectory: string): void {
  try {
    mkdirSync(folder(stateDirectory), { recursive: true, mode: 0o700 });
  } catch {
    // The warden meets the same and says so.
  }
}

export function lastWordPath(stateDirectory: string, instance: string): string {
  return join(folder(stateDirectory), `${instance}.json`);
}

/** The wardens that have left a file, whether they have spoken or not. */
export function knownInstances(stateDirectory: string): string[] {
  try {
    return readdirSync(folder(stateDirectory))
      .filter((name) => name.endsWith(".json"))
      .map((name) => name.slice(0, -".json".length));
  } catch {
    return [];
  }
}

/** A warden holds a lock on its file for as long as it runs, so the lock tells whether its word is its last. */
export function hear(stateDirectory: string, instance: string): Testimony {
  let fd: number;
  try {
    fd = openSync(lastWordPath(stateDirectory, instance), "r");
  } catch {
    return { kind: "silent" };
  }
  try {
    if (!tryLock(fd)) return { kind: "working" };
    const word = LastWord.safeParse(parse(readFileSync(fd, "utf8")));
    if (!word.success || word.data.instance !== instance) return { kind: "silent" };
    return { kind: "spoken", unrevoked: new Map(word.data.unrevoked.map(({ id, errno }) => [id, errno])) };
  } finally {
    closeSync(fd);
  }
}

/** Once nothing in the books depends on it. */
export function forget(stateDirectory: string, instance: string): void {
  try {
    unlinkSync(lastWordPath(stateDirectory, instance));
  } catch {
    // Left for the next start.
  }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

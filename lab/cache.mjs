// Where kernels are kept, for all checkouts of this user: making one takes minutes.
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { alone } from "../scripts/alone.mjs";
import { say } from "../scripts/bootstrap.mjs";

const { LENDBUF_LAB_CACHE, XDG_CACHE_HOME } = process.env;

export const CACHE = LENDBUF_LAB_CACHE || join(XDG_CACHE_HOME || join(homedir(), ".cache"), "lendbuf/lab");

/** The folders of the cache whose name begins so, newest version last. */
export function cached(prefix) {
  try {
    const names = readdirSync(CACHE).filter((name) => name.startsWith(prefix));
    return names.sort(byVersion).map((name) => join(CACHE, name));
  } catch (error) {
    if (error.code === "ENOENT") return [];
    throw error;
  }
}

export function byVersion(a, b) {
  return a.localeCompare(b, "en", { numeric: true });
}

/**
 * Puts a folder of this kind into the cache: whole, or not at all. `make` is given an empty folder to work in, fills `result` in it, and answers the name
 * that this gets; where `find` answers a folder somebody else was faster, or it was there all along.
 */
export async function putIntoCache(kind, find, make) {
  const wait = () => say(`Waiting: another process makes the ${kind} kernel in ${CACHE}…`);
  return find() ?? (await alone(`lab ${kind} ${CACHE}`, async () => find() ?? (await makeWhole(kind, make)), wait));
}

async function makeWhole(kind, make) {
  const unfinished = `.making-${kind}-`;
  mkdirSync(CACHE, { recursive: true });
  for (const left of cached(unfinished)) rmSync(left, { recursive: true, force: true }); // somebody died making it
  const work = mkdtempSync(join(CACHE, unfinished));
  try {
    mkdirSync(join(work, "result"));
    const made = join(CACHE, await make(work));
    renameSync(join(work, "result"), made);
    return made;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

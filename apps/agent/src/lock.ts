import { closeSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "@lendbuf/native/addon";

/** Somebody else runs an agent on this state folder. */
export class AlreadyRunning extends Error {}

/** Makes this agent the only one on its state folder, for as long as the process lives. Undefined where the folder takes no lock. */
export function lockState(directory: string, socketPath: string): (() => void) | undefined {
  const path = join(directory, "agent.lock");
  let fd: number;
  try {
    fd = openSync(path, "a+", 0o600);
  } catch {
    return undefined; // a folder that cannot be written: nothing will be lent, and the store says why
  }
  if (!tryLock(fd)) {
    const holder = readFileSync(path, "utf8").trim();
    closeSync(fd);
    throw new AlreadyRunning(
      `An agent is already running on ${directory}: ${holder || "it is just starting"}. Use it, end it first, or start this one with another --state, --socket and --port.`,
    );
  }
  ftruncateSync(fd, 0);
  writeSync(fd, `pid ${process.pid}, socket ${socketPath}\n`);
  return () => closeSync(fd);
}

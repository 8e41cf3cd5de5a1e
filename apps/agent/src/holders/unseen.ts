import { readFileSync, readlinkSync } from "node:fs";

/** The first pid namespace's inode (PROC_PID_INIT_INO): whoever is in another sees only the processes of that. */
const HOST_PIDS = "pid:[4026531836]";

interface Unseen {
  /** How many processes could not be looked at. */
  hidden: number;
  /** Those at which the look got stuck; counted as hidden where it is whole. */
  stuck: readonly string[];
  /** It came to the end of /proc. */
  isWhole: boolean;
}

/** What a look at /proc could not see on this host, and what to do about it. */
export function unseenWords({ hidden, stuck, isWhole }: Unseen): string[] {
  const notes: string[] = [];
  const unreadable = hidden - (isWhole ? stuck.length : 0);
  if (unreadable > 0) notes.push(`${unreadable === 1 ? "1 process" : `${unreadable} processes`} ${whyHidden()}`);
  if (hidesProcesses()) notes.push("/proc is mounted with hidepid, so other users' processes are not even counted.");
  if (!seesHost())
    notes.push("The agent runs in a pid namespace of its own (a container): processes outside of it are not seen.");
  if (stuck.length > 0)
    notes.push(
      `A look at process ${stuck.join(", ")} did not come back, so it was left out. See what it does: \`ps -o pid,stat,wchan,args ${stuck[0]}\`.`,
    );
  if (!isWhole)
    notes.push("So many processes held the look up that it was given up: what follows is part of what there is.");
  return notes;
}

function whyHidden(): string {
  return process.getuid!() === 0
    ? "could not be looked at, although the agent runs as root: it lacks a capability (CAP_SYS_PTRACE), or a security module forbids it."
    : "of other users could not be looked at; an agent that runs as root sees them, and so does `sudo lsof`.";
}

function hidesProcesses(): boolean {
  if (process.getuid!() === 0) return false;
  return readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .some((line) => / \/proc .* - proc .*\bhidepid=(2|4|invisible|ptraceable)\b/.test(line));
}

function seesHost(): boolean {
  try {
    return readlinkSync("/proc/self/ns/pid") === HOST_PIDS;
  } catch {
    return true; // a kernel without pid namespaces has but one
  }
}

import { readFileSync } from "node:fs";

/** Of proc(5)'s clock ticks: USER_HZ, which the kernel keeps at 100 for all who read /proc. */
const TICK_MS = 10;

/** When a process started, in clock ticks since boot (proc(5)); null where there is none. With its pid it names a process for good. */
export function startTimeOf(pid: number): number | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    // The command, in parentheses, may have anything in it.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return state === "Z" || state === "X" ? null : Number(fields[18]);
  } catch {
    return null;
  }
}

/** The same of a process that had this pid at a time of the boot clock: null where another has it since. */
export function startTimeBefore(pid: number, atMs: number): number | null {
  const startTime = startTimeOf(pid);
  return startTime !== null && startTime * TICK_MS <= atMs ? startTime : null;
}

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { cpus, loadavg, release, setPriority } from "node:os";
import { dirname } from "node:path";

/** This folder; the bundle that runs lies elsewhere. */
export const BENCH = dirname(process.argv[1]!);
export const ROOT = dirname(BENCH);

const CORES = coresOf(/^Cpus_allowed_list:\s+(\S+)$/m.exec(readFileSync("/proc/self/status", "utf8"))![1]!);
/** What everything is pinned to: across two cores each round trip waits for the other to wake. */
const CORE = CORES.at(-1)!;
/** For who must run at the same time; the same one where there is no other. */
const OTHER_CORE = CORES.at(-2) ?? CORE;

/** Pins this process and all that it starts to one core, before others where it may; says what came of it. */
export function settle(): string[] {
  const pinned = spawnSync("taskset", ["-acp", String(CORE), String(process.pid)]).status === 0;
  const first = isAllowed(() => setPriority(-19));
  const model = cpus()[0]?.model ?? "unknown processor";
  return [
    `${CORES.length} cores of ${model}, Linux ${release()}, Node ${process.version}, load ${loadavg()[0]!.toFixed(1)} at the start`,
    `${pinned ? `all on core ${CORE}` : "NOT pinned to one core (taskset is missing), so each round trip crosses cores"}, ${first ? "priority -19" : "usual priority"}; median of the rounds, which take turns with what stands beside`,
  ];
}

/** The command that runs another on the other core. */
export function onOtherCore(command: readonly string[]): string[] {
  return onCores([OTHER_CORE], command);
}

/** The command that runs another wherever it likes. */
export function onAllCores(command: readonly string[]): string[] {
  return onCores(CORES, command);
}

function onCores(cores: readonly number[], command: readonly string[]): string[] {
  return spawnSync("taskset", ["-V"]).status === 0 ? ["taskset", "-c", cores.join(","), ...command] : [...command];
}

function coresOf(list: string): number[] {
  return list.split(",").flatMap((part) => {
    const [first, last = first] = part.split("-").map(Number);
    return Array.from({ length: last! - first! + 1 }, (_none, i) => first! + i);
  });
}

function isAllowed(work: () => void): boolean {
  try {
    work();
    return true;
  } catch {
    return false;
  }
}

import type { HostFiles } from "../host-files.ts";
import { type Check, fine } from "./check.ts";

const LOW_FILES = 4096;
/** What the agent has open besides what it lends, and how many a delegation takes. */
const FILES = { own: 100, each: 2 };

export const limitsCheck: Check = {
  name: "limit",
  look({ files }) {
    const open = limitOf(files, "Max open files");
    const locked = limitOf(files, "Max locked memory");
    return [
      open === undefined || open >= LOW_FILES
        ? fine("open files", `${words(open)} files at most`, "Enough for the delegations of a host.")
        : {
            subject: "open files",
            severity: "warning",
            seen: `${open} files at most`,
            means: `Enough for about ${Math.floor((open - FILES.own) / FILES.each)} delegations.`,
            advice:
              "Raise the hard limit: LimitNOFILE=65536 in the systemd unit, or ulimit before the agent is started.",
            command: "ulimit -n 65536",
          },
      fine(
        "locked memory",
        locked === undefined ? "unlimited" : `${words(locked)} bytes at most`,
        "The agent pins no memory, so any limit will do; clients that map memory for DMA themselves need one of their own.",
      ),
    ];
  },
};

/** The hard limit of this process, which it may raise itself to; undefined: none. */
function limitOf(files: HostFiles, name: string): number | undefined {
  const line = files
    .read("/proc/self/limits")
    ?.split("\n")
    .find((one) => one.startsWith(name));
  const [, hard] = line?.slice(name.length).trim().split(/\s+/) ?? [];
  return hard === undefined || hard === "unlimited" ? undefined : Number(hard);
}

function words(limit: number | undefined): string {
  return limit === undefined ? "any number of" : String(limit);
}

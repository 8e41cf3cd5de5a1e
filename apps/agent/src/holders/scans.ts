import { fstatSync } from "node:fs";
import { availableParallelism } from "node:os";
import type { Live } from "../delegations/live.ts";
import type { Finding } from "./finding.ts";
import { look } from "./look.ts";
import { unseenWords } from "./unseen.ts";

/** A process, and how it holds one file. */
export interface Found {
  pid: number;
  uid: number;
  command: string;
  fds: number[];
  fdCount: number;
  mappingCount: number;
  isDmaBuf: boolean;
}

/** What one look at all processes has found. */
export interface Scan {
  /** By file. */
  holders: Map<string, Found[]>;
  /** What fdinfo says of each dma-buf, by file. */
  dmaBufs: Map<string, string>;
  /** The delegations whose exports were looked for, by file. */
  delegations: Map<string, number>;
  at: number;
  processes: number;
  hidden: number;
  /** What could not be seen, in words for people. */
  notes: string[];
}

/** Those who ask one after the other share a look: it begins when nobody has asked for so long. */
const GATHER_MS = 10;
const MAX_GATHER_MS = 50;
/** How many programs look at the same time, each at its share of the processes. */
const SHARES = Math.min(4, availableParallelism());
/** So many processes at most may each hold a look up for a while. */
const MAX_STUCK = 3;

/** A file, whatever it is called. */
export function keyOf({ dev, ino }: { dev: number; ino: number }): string {
  return `${dev} ${ino}`;
}

/** Looks at /proc, one at a time: whoever asks while one is under way gets the next one, which began after it was asked for. */
export class Scans {
  readonly #exported: () => Iterable<Live>;
  readonly #keys = new WeakMap<NonNullable<Live["exported"]>, string>();
  #running: Promise<unknown> | undefined;
  #next: Promise<Scan> | undefined;
  /** How often. */
  #asked = 0;

  constructor(exported: () => Iterable<Live>) {
    this.#exported = exported;
  }

  /** Rejects where the program that looks cannot run. */
  look(): Promise<Scan> {
    this.#asked++;
    this.#next ??= this.#lookAfter(this.#running);
    return this.#next;
  }

  /** The file of an export that has not ended; of one whose descriptor we let go it is what was seen before. */
  keyOf({ exported }: Live): string | undefined {
    if (!exported) return undefined;
    let key = this.#keys.get(exported);
    if (key === undefined && exported.fd >= 0) this.#keys.set(exported, (key = keyOf(fstatSync(exported.fd))));
    return key;
  }

  async #lookAfter(running: Promise<unknown> | undefined): Promise<Scan> {
    await running?.catch(() => {});
    await this.#gather();
    const scan = this.#scan();
    this.#running = scan;
    this.#next = undefined;
    try {
      return await scan;
    } finally {
      if (this.#running === scan) this.#running = undefined;
    }
  }

  async #scan(): Promise<Scan> {
    const at = Date.now();
    const delegations = new Map<string, number>();
    for (const live of this.#exported()) {
      const key = this.keyOf(live);
      if (key !== undefined) delegations.set(key, live.record.id);
    }
    const keys = [...delegations.keys()].join("\n");
    const shares = Array.from({ length: SHARES }, (_none, i) => lookAtShare(`${i}/${SHARES}`, keys));
    return scanOf(await Promise.all(shares), at, delegations);
  }

  async #gather(): Promise<void> {
    const end = performance.now() + MAX_GATHER_MS;
    for (let asked = 0; asked !== this.#asked && performance.now() < end; ) {
      asked = this.#asked;
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    }
  }
}

interface SharedLook {
  findings: Finding[];
  /** The processes at which it got stuck, and which were left out then. */
  stuck: string[];
  isWhole: boolean;
}

async function lookAtShare(share: string, keys: string): Promise<SharedLook> {
  const stuck: string[] = [];
  for (;;) {
    const { findings, stuckAt } = await look(["--share", share, ...stuck], keys);
    if (stuckAt !== null) stuck.push(stuckAt);
    if (stuckAt === null || stuck.length === MAX_STUCK) return { findings, stuck, isWhole: stuckAt === null };
  }
}

function scanOf(looks: readonly SharedLook[], at: number, delegations: Scan["delegations"]): Scan {
  const scan: Scan = { at, delegations, holders: new Map(), dmaBufs: new Map(), processes: 0, hidden: 0, notes: [] };
  for (const { findings } of looks) for (const finding of findings) take(scan, finding);
  const stuck = looks.flatMap((one) => one.stuck);
  scan.notes = unseenWords({ hidden: scan.hidden, stuck, isWhole: looks.every(({ isWhole }) => isWhole) });
  return scan;
}

function take(scan: Scan, finding: Finding): void {
  if (finding.kind === "end") {
    scan.processes += finding.processes;
    scan.hidden += finding.hidden;
  } else if (finding.kind === "dmabuf") scan.dmaBufs.set(keyOf(finding), finding.fdinfo);
  else if (finding.kind === "process") {
    const { pid, uid, command } = finding;
    for (const [dev, ino, fdCount, mappingCount, isDmaBuf, ...fds] of finding.holds) {
      const key = keyOf({ dev, ino });
      const found = { pid, uid, command, fds, fdCount, mappingCount, isDmaBuf: isDmaBuf === 1 };
      const others = scan.holders.get(key);
      if (others) others.push(found);
      else scan.holders.set(key, [found]);
    }
  }
}

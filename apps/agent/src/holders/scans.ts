import { fstatSync } from "node:fs";
import type { Live } from "../delegations/live.ts";
import type { Finding } from "./finding.ts";
import { look } from "./look.ts";

export type Found = Finding & { kind: "holder" };

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
  /** The processes at which it got stuck, and which were left out then. */
  stuck: string[];
  /** It came to the end of /proc. */
  isWhole: boolean;
}

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

  constructor(exported: () => Iterable<Live>) {
    this.#exported = exported;
  }

  /** Rejects where the program that looks cannot run. */
  look(): Promise<Scan> {
    this.#next ??= this.#lookAfter(this.#running);
    return this.#next;
  }

  /** The file of an export that is still ours to look at. */
  keyOf({ exported }: Live): string | undefined {
    if (!exported || exported.fd < 0) return undefined;
    let key = this.#keys.get(exported);
    if (key === undefined) this.#keys.set(exported, (key = keyOf(fstatSync(exported.fd))));
    return key;
  }

  async #lookAfter(running: Promise<unknown> | undefined): Promise<Scan> {
    await running?.catch(() => {});
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
    const stuck: string[] = [];
    for (;;) {
      const { findings, stuckAt } = await look(stuck, [...delegations.keys()].join("\n"));
      if (stuckAt !== null) stuck.push(stuckAt);
      if (stuckAt === null || stuck.length === MAX_STUCK) return scanOf(findings, { at, delegations, stuck });
    }
  }
}

function scanOf(
  findings: readonly Finding[],
  { at, delegations, stuck }: Pick<Scan, "at" | "delegations" | "stuck">,
): Scan {
  const scan: Scan = {
    at,
    delegations,
    stuck,
    isWhole: false,
    holders: new Map(),
    dmaBufs: new Map(),
    processes: 0,
    hidden: 0,
  };
  for (const finding of findings) take(scan, finding);
  return scan;
}

function take(scan: Scan, finding: Finding): void {
  if (finding.kind === "end") {
    scan.isWhole = true;
    scan.processes = finding.processes;
    scan.hidden = finding.hidden;
  } else if (finding.kind === "dmabuf") scan.dmaBufs.set(keyOf(finding), finding.fdinfo);
  else if (finding.kind === "holder") {
    const key = keyOf(finding);
    const holders = scan.holders.get(key);
    if (holders) holders.push(finding);
    else scan.holders.set(key, [finding]);
  }
}

import type { DmaBuf, Holder, Visibility } from "@lendbuf/shared/holder";
import type { Core } from "../core.ts";
import { type Bufinfo, parseBufinfo } from "./bufinfo.ts";
import { parseFdinfo } from "./fdinfo.ts";
import { holdersIn, visibilityOf } from "./holders-in.ts";
import { look } from "./look.ts";
import type { Scan } from "./scans.ts";

/** More than that are counted. */
const MAX_LISTED = 20;

export interface Inventory extends Visibility {
  /** In order of their inodes. */
  dmaBufs: DmaBuf[];
}

/** Every dma-buf of this host that can be seen, ours or not. For people, never a proof. */
export async function inventoryOf(core: Core): Promise<Inventory> {
  const [scan, kernel] = await Promise.all([core.scans.look(), lookAtBufinfo()]);
  const visibility = visibilityOf(scan);
  if (kernel.note) visibility.notes.push(kernel.note);
  return { dmaBufs: dmaBufsIn(scan, kernel.bufinfo, (key) => holdersIn(core, scan, key)), ...visibility };
}

/** What /proc and debugfs say, joined on the inode. `bufinfo` is undefined where debugfs cannot be read. */
export function dmaBufsIn(
  scan: Pick<Scan, "holders" | "dmaBufs" | "delegations">,
  bufinfo: readonly Bufinfo[] | undefined,
  holdersOf: (key: string) => Holder[],
): DmaBuf[] {
  const kernel = new Map(bufinfo?.map((entry) => [entry.inode, entry]));
  const keys = new Map<number, string>(); // there is one file system of dma-bufs
  for (const key of scan.dmaBufs.keys()) keys.set(inodeOf(key), key);
  for (const [key, found] of scan.holders) if (found.some(({ isDmaBuf }) => isDmaBuf)) keys.set(inodeOf(key), key);
  const inodes = [...new Set([...keys.keys(), ...kernel.keys()])].sort((one, other) => one - other);
  return inodes.map((inode) => {
    const key = keys.get(inode);
    const facts = parseFdinfo((key !== undefined && scan.dmaBufs.get(key)) || "") ?? kernel.get(inode);
    const holders = key === undefined ? [] : holdersOf(key);
    const references = holders.reduce((sum, { fdCount, mappingCount }) => sum + fdCount + mappingCount, 0);
    return {
      inode,
      exporter: facts?.exporter ?? null,
      name: facts?.name ?? null,
      size: facts?.size ?? null,
      count: facts?.count ?? null,
      unseen: facts ? Math.max(0, facts.count - references) : null,
      holders: holders.slice(0, MAX_LISTED),
      total: holders.length,
      attachments: bufinfo ? (kernel.get(inode)?.attachments ?? []) : null,
      delegation: (key !== undefined && scan.delegations.get(key)) || null,
    };
  });
}

function inodeOf(key: string): number {
  return Number(key.split(" ")[1]);
}

/** The kernel locks each buffer for it, so it may wait for whoever has one locked: it is another process that waits. */
async function lookAtBufinfo(): Promise<{ bufinfo?: Bufinfo[]; note?: string }> {
  const { findings, stuckAt } = await look(["--bufinfo"]);
  const [finding] = findings;
  if (finding?.kind === "bufinfo" && finding.text !== undefined) return { bufinfo: parseBufinfo(finding.text) };
  const why =
    stuckAt !== null
      ? "does not answer: somebody has a buffer locked"
      : `cannot be read (${finding?.kind === "bufinfo" ? finding.error : "no answer"})`;
  return {
    note: `/sys/kernel/debug/dma_buf/bufinfo ${why}, so attached devices, and buffers that no process holds, are not seen. It takes root, debugfs mounted, and a kernel with CONFIG_DEBUG_FS.`,
  };
}

/** Whether a dma-buf has this in what is shown of it. */
export function matches({ inode, exporter, name, holders, attachments, delegation }: DmaBuf, search: string): boolean {
  const texts = [exporter, name, ...(attachments ?? []), ...holders.map(({ command }) => command)];
  const numbers = [inode, delegation, ...holders.map(({ pid }) => pid)];
  return (
    texts.some((text) => text?.toLowerCase().includes(search.toLowerCase())) ||
    numbers.some((number) => String(number) === search)
  );
}

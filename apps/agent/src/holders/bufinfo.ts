import type { DmaBufFacts } from "./fdinfo.ts";

export interface Bufinfo extends DmaBufFacts {
  inode: number;
  /** The devices that are attached to it. */
  attachments: string[];
}

/** Size, flags, mode and count are at least eight digits each: together they are longer than a name may be (31 bytes), so no name can look like a row. */
const ROW = /^(\d{8,})\t[0-9a-f]{8}\t[0-9a-f]{8}\t(\d{8,})\t([^\t\n]+)\t(\d{8,})\t/gm;
const DEVICES = "\tAttached Devices:\n";

/**
 * /sys/kernel/debug/dma_buf/bufinfo (dma_buf_debug_show): for each buffer a row, its fences, and its attached devices. It alone tells of
 * attachments and of buffers that no process has open. Names hold any text, so what follows a name is read from the end.
 */
export function parseBufinfo(text: string): Bufinfo[] {
  const rows = [...text.matchAll(ROW)];
  return rows.map((row, i) => {
    const rest = text.slice(row.index + row[0].length, rows[i + 1]?.index);
    const at = rest.lastIndexOf(DEVICES);
    const attached = /^((?:\t[^\n]+\n)*)Total \d+ devices attached\n/.exec(rest.slice(at + DEVICES.length))?.[1] ?? "";
    const name = nameIn(at < 0 ? rest : rest.slice(0, at));
    return {
      size: Number(row[1]),
      count: Number(row[2]),
      exporter: row[3]!,
      inode: Number(row[4]),
      name: name === "<none>" ? null : name,
      attachments: [...attached.matchAll(/^\t(.+)$/gm)].map(([, device]) => device!),
    };
  });
}

/** Before the lines of its fences, each of which begins with a tab and its usage (dma_resv_describe). */
function nameIn(text: string): string {
  return text.replace(/(\t(kernel|write|read|bookkeep) fence:[^\n]*\n)*$/, "").replace(/\n$/, "");
}

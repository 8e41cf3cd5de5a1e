export interface DmaBufFacts {
  exporter: string;
  /** Bytes. */
  size: number;
  /** All references to it. */
  count: number;
  name: string | null;
}

/**
 * What /proc/PID/fdinfo/FD says of a dma-buf (dma_buf_show_fdinfo, Linux 5.3): `size:`, `count:`, `exp_name:` and, where it has one,
 * `name:`, which is last and goes on to the end: any holder sets it, newlines and all. Undefined where it is no dma-buf's.
 */
export function parseFdinfo(text: string): DmaBufFacts | undefined {
  const [, head = "", name] = /^(.*?\nexp_name:\t[^\n]*)\n(?:name:\t(.*)\n)?/s.exec(text) ?? [];
  const field = (key: string) => new RegExp(`^${key}:\t(.*)$`, "m").exec(head)?.[1];
  const exporter = field("exp_name");
  if (exporter === undefined) return undefined;
  return { exporter, size: Number(field("size")), count: Number(field("count")), name: name ?? null };
}

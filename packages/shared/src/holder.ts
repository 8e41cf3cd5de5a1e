// Who holds what, as /proc showed it: for people to look at, never a proof. A descriptor in flight, a process that we may not look at, or one
// of another pid namespace is not seen.

/** A process that has an export or a dma-buf open or mapped. */
export interface Holder {
  pid: number;
  /** Its effective uid. */
  uid: number;
  /** Its name as it calls itself: any text. */
  command: string;
  /** Ours: the agent keeps a copy of each export, the device's warden has it open too. Null: anybody else. */
  role: "agent" | "warden" | null;
  /** The descriptors' numbers in that process, the first eight. */
  fds: number[];
  fdCount: number;
  mappingCount: number;
}

/** What a look at /proc could see. */
export interface Visibility {
  /** Wall-clock milliseconds. */
  at: number;
  /** How many were looked at, or could not be. */
  processes: number;
  /** How many of them could not be. */
  hidden: number;
  /** What could not be seen, and what to do about it; in words for people. */
  notes: string[];
}

/** Who holds one delegation's export. */
export interface Holders extends Visibility {
  delegation: number;
  /** It has an export. Without one there is nothing to hold: it was not claimed yet, or its end is proven. */
  exported: boolean;
  holders: Holder[];
  /** How many hold it; may be more than are listed. */
  total: number;
}

/** A dma-buf of the host, whoever made it. */
export interface DmaBuf {
  inode: number;
  /** The kernel's exporter: `udmabuf`, `vfio_pci_core`, `drm`…; null where only mappings of it were seen. */
  exporter: string | null;
  /** Any holder can change it: any text. */
  name: string | null;
  /** Bytes. */
  size: number | null;
  /** All references to it, as the kernel counts them. */
  count: number | null;
  /** Those of them that no holder accounts for: in flight, of the kernel, or of what is hidden. */
  unseen: number | null;
  holders: Holder[];
  /** How many hold it; may be more than are listed. */
  total: number;
  /** The devices that are attached to it; null where debugfs cannot be read. */
  attachments: string[] | null;
  /** Whose export it is, where it is one of ours. */
  delegation: number | null;
}

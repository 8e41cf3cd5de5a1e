import type { Range } from "./buffer.ts";
import type { Method, Scope } from "./delegation.ts";
import type { Exporter } from "./exporter.ts";

/** Why a region cannot be lent. */
export type Unlendable = "io-ports" | "unassigned" | "msix-table" | "sub-page";

export interface Region {
  /** VFIO region index; BARs are 0–5. */
  index: number;
  /** Bytes; 0 where it is not there. */
  size: number;
  /** Null: it can be lent, but for what is withheld. */
  unlendable: Unlendable | null;
  /** The pages of the MSI-X table, which are never lent: whoever writes there chooses what the device's interrupts do. */
  withheld: Range | null;
}

/** One rung of the revocation ladder on this host, as its self-test found it. */
export interface Rung {
  method: Method;
  scope: Scope;
  works: boolean;
  /** The errno that decided against it, by its name; null: it works, or `detail` says what was seen instead. */
  errno: string | null;
  /** What was seen, in words for people. */
  detail: string;
}

/** What an exporter can do on this host, as its self-test found it. */
export interface Capability {
  exporter: Exporter;
  works: boolean;
  /** What the self-test saw, or why it does not work, in words for people. */
  detail: string;
  /** The best rung of the revocation ladder that passed: the one in use. */
  method: Method | null;
  scope: Scope;
  /** All of them, the best first. */
  rungs: Rung[];
  /** A client can mmap an export; else devices can import it, and no more. */
  mappable: boolean;
}

/** The named one, or the one that a borrower gets who names none; else the first, which says why it does not work. Null before they were tried. */
export function exporterOf(
  { exporters }: { exporters: readonly Capability[] },
  named: Exporter | null = null,
): Capability | null {
  const found = exporters.find(({ exporter, works }) => (named === null ? works : exporter === named));
  return found ?? exporters[0] ?? null;
}

/** Where a PCI function is and what it is, as sysfs tells. */
export interface PciAddress {
  /** `0000:01:00.0` */
  bdf: string;
  /** Four hex digits each. */
  vendorId: string;
  deviceId: string;
  /** By pci.ids, where that is installed. */
  vendor: string | null;
  product: string | null;
  /** The kernel's driver that has it now. */
  driver: string | null;
  iommuGroup: { id: number; others: { bdf: string; driver: string | null }[] } | null;
  /** Null where the host has one node, or does not say. */
  numaNode: number | null;
}

/** Nothing new of a device is lent for now, such as for maintenance. */
export interface Drain {
  /** In words for people. */
  reason: string;
  /** Lifts itself then, by the wall clock; null: when somebody lifts it. */
  until: number | null;
  since: number;
  /** The account that ordered it. */
  by: string;
}

export interface Device {
  /** `sim0`, `ram0`, or its BDF. */
  name: string;
  /** `memory`: the machine's own. */
  kind: "simulated" | "vfio" | "memory";
  description: string;
  state: "starting" | "ready" | "resetting" | "lost";
  /** Why it is not ready, in words for people. */
  problem: string | null;
  regions: Region[];
  /** The ways to lend its memory, the one that a borrower gets who names none first; empty until its warden has tried them. */
  exporters: Capability[];
  /** How a VFIO device was opened. */
  access: "cdev" | "group" | null;
  /** Its memory was taken from everybody for now: see `devices.suspend`. */
  suspended: boolean;
  /** Null: it is lent. */
  drained: Drain | null;
  /** Null for all but VFIO's. */
  pci: PciAddress | null;
  /** The process that holds the device. */
  warden: { pid: number; instance: string; startedAt: number } | null;
}

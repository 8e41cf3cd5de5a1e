import { guestFiles } from "../guest-files.mjs";
import { DEBUG_KERNEL, LAB_KERNEL } from "./lab-kernel.mjs";
import { findStockKernel, makeStockKernel } from "./stock-kernel.mjs";

// Ours see the host's files, read-only.
const PATCHED = {
  devices: ["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
  files: () => ({}),
  proofs: ["revoke", "dma", "hostile", "stress"],
};

/**
 * The kernels that the machine can start. `find` answers a kernel's folder if it is in the cache, `make` puts it there; `devices` are QEMU's,
 * and `files` go into the archive that the machine starts from; `proofs` are the C programs of lab/proofs that are about it. A kernel that
 * checks itself needs more `memory` and more time: `slowness` times as much. `boot` goes onto its command line. `stressSeconds` is how long the stress of the proofs takes.
 */
export const KERNELS = {
  lab: { ...PATCHED, ...LAB_KERNEL, memory: "2G", slowness: 1, stressSeconds: 3 },
  /** Debian's has no 9p, so it brings what it needs. */
  stock: {
    ...{ find: findStockKernel, make: makeStockKernel, devices: [], files: guestFiles },
    ...{ proofs: ["stock"], memory: "2G", slowness: 1, stressSeconds: 0 },
  },
  /** The lab kernel that reports its own bugs. */
  debug: {
    ...{ ...PATCHED, ...DEBUG_KERNEL, checksItself: true, memory: "4G", slowness: 6, stressSeconds: 60 },
    // All reports, not the first alone. With five levels of page tables KASAN believes an address to be wild while the kernel
    // identifies its processor, where an interrupt comes just then.
    boot: "kasan_multi_shot no5lvl",
  },
};

/** Those of `npm test`; the stock one first, for it takes seconds to make. */
export const TESTED = ["stock", "lab"];

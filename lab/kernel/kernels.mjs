import { guestFiles } from "../guest-files.mjs";
import { findLabKernel, makeLabKernel } from "./lab-kernel.mjs";
import { findStockKernel, makeStockKernel } from "./stock-kernel.mjs";

/**
 * The kernels that the machine can start. `find` answers a kernel's folder if it is in the cache, `make` puts it there; `devices` are QEMU's,
 * and `files` go into the archive that the machine starts from.
 */
export const KERNELS = {
  /** Ours sees the host's files, read-only. */
  lab: {
    find: findLabKernel,
    make: makeLabKernel,
    devices: ["-virtfs", "local,path=/,mount_tag=host,security_model=none,readonly=on,multidevs=remap"],
    files: () => ({}),
  },
  /** Debian's has no 9p, so it brings what it needs. */
  stock: { find: findStockKernel, make: makeStockKernel, devices: [], files: guestFiles },
};

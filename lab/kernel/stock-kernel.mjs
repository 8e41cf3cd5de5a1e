// Debian's own kernel, as it is: the newest cloud kernel of the suite, with the modules that the lab machine loads.
import { copyFileSync, cpSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { BootstrapFailed, say } from "../../scripts/bootstrap.mjs";
import { LAB_TOOLS, requireTools } from "../../scripts/requirements.mjs";
import { cached, putIntoCache } from "../cache.mjs";
import { must } from "../must.mjs";
import { openSuite } from "../packages.mjs";

/** In the order in which they are loaded. */
const MODULES = [
  ...["virt/lib/irqbypass", "drivers/vfio/vfio", "drivers/vfio/vfio_iommu_type1"],
  ...["drivers/vfio/pci/vfio-pci-core", "drivers/vfio/pci/vfio-pci"],
  ...["net/core/failover", "drivers/net/net_failover", "drivers/net/virtio_net"],
];

const XZ_TIMEOUT_MS = 60_000;

/** The folder with `bzImage`, `modules/`, `include/` (the headers of its interfaces) and `version` in the cache, if it was fetched. Needs no network. */
export function findStockKernel() {
  return cached("stock-").findLast((folder) => existsSync(join(folder, "version")));
}

/** Answers the same folder; fetches the kernel where it must. */
export function makeStockKernel() {
  return putIntoCache("stock", findStockKernel, fetch);
}

async function fetch(work) {
  requireTools(LAB_TOOLS);
  say("Fetching Debian's kernel for the lab machine (once, 40 MB)…");
  const suite = await openSuite(work);
  const image = (await suite.find(/^linux-binary-7\.\d+\.\d+\+deb\d+-cloud-amd64$/)).at(-1);
  const [modules] = image ? await suite.find(literally(image.name.replace("binary", "modules"))) : [];
  if (!modules) throw new BootstrapFailed("Debian offers no cloud kernel of version 7 now, or no modules for it.");
  const [headers] = (await suite.find(/^linux-libc-dev$/)).filter(({ version }) => version === image.version);
  for (const wanted of [image, modules, headers]) await suite.unpack(wanted, work);
  const release = image.name.replace("linux-binary-", "");
  const result = join(work, "result");
  copyFileSync(join(work, "usr/lib/modules", release, "vmlinuz"), join(result, "bzImage"));
  await unpackModules(join(work, "usr/lib/modules", release, "kernel"), join(result, "modules"));
  const include = join(work, "usr/include");
  for (const part of ["linux", "asm-generic", "x86_64-linux-gnu/asm"]) {
    cpSync(join(include, part), join(result, "include", basename(part)), { recursive: true, dereference: true });
  }
  writeFileSync(join(result, "version"), image.version);
  return `stock-${image.version}`;
}

async function unpackModules(from, to) {
  mkdirSync(to);
  const files = MODULES.map((module) => join(from, `${module}.ko.xz`));
  await must("lab unpack modules", ["xz", "-d", ...files], { timeoutMs: XZ_TIMEOUT_MS });
  for (const [index, file] of files.entries()) {
    const unpacked = file.slice(0, -".xz".length);
    copyFileSync(unpacked, join(to, `${index}-${basename(unpacked)}`)); // the machine loads them in the order of their names
  }
}

function literally(name) {
  return new RegExp(`^${name.replaceAll(/[.+]/g, "\\$&")}$`);
}

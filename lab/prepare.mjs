// node lab/prepare.mjs [KERNEL…]: puts the lab's kernels, or these, into the cache, where they are not there yet. Once about ten minutes on two cores.
import { fileURLToPath } from "node:url";
import { orExplain } from "../scripts/bootstrap.mjs";
import { KERNELS, TESTED } from "./kernel/kernels.mjs";
import { requireMachine } from "./machine.mjs";

export function isPrepared() {
  return TESTED.every((name) => KERNELS[name].find() !== undefined);
}

export async function prepare(names = TESTED) {
  requireMachine();
  for (const name of names) await KERNELS[name].make();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const names = process.argv.slice(2);
  await orExplain(() => prepare(names.length > 0 ? names : TESTED));
}

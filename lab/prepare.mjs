// node lab/prepare.mjs: puts the lab's kernels into the cache, where they are not there yet. Once about ten minutes on two cores.
import { fileURLToPath } from "node:url";
import { orExplain } from "../scripts/bootstrap.mjs";
import { KERNELS } from "./kernel/kernels.mjs";
import { requireMachine } from "./machine.mjs";

export function isPrepared() {
  return Object.values(KERNELS).every(({ find }) => find() !== undefined);
}

export async function prepare() {
  requireMachine();
  for (const { make } of Object.values(KERNELS).reverse()) await make(); // the stock one first: it takes seconds
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await orExplain(prepare);

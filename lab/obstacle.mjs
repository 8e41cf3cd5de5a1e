import { MissingRequirement } from "../scripts/requirements.mjs";
import { KERNELS } from "./kernel/kernels.mjs";
import { requireMachine } from "./machine.mjs";

/** Why this kernel cannot be started here, and what to do about it; undefined where it can. */
export function obstacle(kernel) {
  try {
    requireMachine();
  } catch (error) {
    if (error instanceof MissingRequirement) return error.message;
    throw error;
  }
  if (KERNELS[kernel].find() && KERNELS.stock.find()) return undefined;
  return "the lab's kernels are not in the cache: node lab/prepare.mjs";
}

// Runs the cases that fit the kernel it finds, one after the other; prints a line of JSON for each, then how many failed.
import { existsSync } from "node:fs";
import type { Case } from "../exporter-contract.ts";
import { groupCases, labCases, stockCases, unplugCases } from "./vfio-cases.ts";

const TIMEOUT_MS = 30_000;

async function outcomeOf({ name, run }: Case) {
  const start = performance.now();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done after ${TIMEOUT_MS / 1000} s`)), TIMEOUT_MS);
  });
  try {
    await Promise.race([run(), late]);
    return { name, ok: true, ms: Math.round(performance.now() - start) };
  } catch (error) {
    const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name, ok: false, ms: Math.round(performance.now() - start), why };
  } finally {
    clearTimeout(timer);
  }
}

/** Root may open and unbind everything, a user only what is his. */
function casesHere(): Case[] {
  const kernel = existsSync("/dev/iommu") ? labCases() : stockCases();
  if (process.getuid!() === 0) return [...kernel, ...unplugCases()];
  return existsSync("/dev/iommu") ? [...kernel, ...groupCases()] : kernel;
}

const wanted = process.argv[2] ?? "";
const cases = casesHere();
let failed = 0;
for (const one of cases.filter(({ name }) => name.includes(wanted))) {
  const outcome = await outcomeOf(one);
  if (!outcome.ok) failed++;
  console.log(JSON.stringify(outcome));
}
process.exit(failed === 0 ? 0 : 1);

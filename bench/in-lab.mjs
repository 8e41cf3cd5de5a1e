// Runs guest/lend-bar.ts in the lab machine. No part of the bundle: what the lab is made of lies beside its modules.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { makeStockKernel } from "../lab/kernel/stock-kernel.mjs";
import { bootMachine } from "../lab/machine.mjs";
import { must } from "../lab/must.mjs";
import { bundle } from "../scripts/bundle.mjs";
import { ROOT } from "../scripts/step.mjs";

export { obstacle } from "../lab/obstacle.mjs";

const BENCH = import.meta.dirname;
const COMPILE_TIMEOUT_MS = 60_000;
const MACHINE_TIMEOUT_MS = 5 * 60_000;

/** Answers what each round said: `Figures` of lab.ts. */
export async function lendBar({ count, rounds }) {
  const folder = mkdtempSync(join(ROOT, "node_modules/.cache/bench-"));
  chmodSync(folder, 0o755); // for the ordinary user inside
  try {
    const programs = await Promise.all(["lend-bar", "count-calls"].map((name) => compile(name, folder)));
    const script = join(folder, "lend-bar.mjs");
    await bundle({ entry: pathToFileURL(join(BENCH, "guest/lend-bar.ts")), outfile: pathToFileURL(script) });
    const lines = [];
    // On one processor inside too: to wake the other takes emulation long.
    const command = ["taskset", "-c", "1", "node", script, `${count}`, `${rounds}`, ...programs];
    const onLine = (line) => lines.push(line);
    const { code } = await bootMachine({ kernel: "lab", command, timeoutMs: MACHINE_TIMEOUT_MS, onLine });
    if (code !== 0) throw new Error(`The benchmark in the lab machine ended with ${code}:\n${lines.join("\n")}`);
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Static, against headers that have the interfaces, as the lab's proofs are. */
async function compile(name, folder) {
  const program = join(folder, name);
  const flags = ["-O2", "-Wall", "-Wextra", "-Werror", "-static", "-isystem", join(await makeStockKernel(), "include")];
  const command = ["cc", ...flags, "-o", program, join(BENCH, "raw", `${name}.c`)];
  await must(`bench ${name}`, command, { timeoutMs: COMPILE_TIMEOUT_MS });
  return program;
}

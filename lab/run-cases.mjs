// Boots the machine once and runs there what proves something of its kernel and of what is built here.
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { bundle } from "../scripts/bundle.mjs";
import { ROOT } from "../scripts/step.mjs";
import { KERNELS } from "./kernel/kernels.mjs";
import { makeStockKernel } from "./kernel/stock-kernel.mjs";
import { bootMachine } from "./machine.mjs";
import { must } from "./must.mjs";

/** What runs as whom, under every kernel. */
const CASES = { lab: "lab/cases", root: "lab/cases/root" };
/** Programs that cases use, by the variables in which they find them. */
const TOOLS = { LENDBUF_HOLDER: "warden-holder", LENDBUF_VFIO_PARTS: "vfio-parts" };
/** Programs of the clients' contract, which finds their folder in LENDBUF_CONTRACT. */
const CONTRACT = ["typescript.mjs", "c"];

// As deep below the root as an app's bundle, from where packages/native finds what it built.
const BUNDLES = join(ROOT, "node_modules/.cache");
const BUILD_TOOLS = "packages/native/scripts/build-test-tools.mjs";
const MAKE_PROGRAMS = "clients/contract/make-programs.mjs";
const COMPILE_TIMEOUT_MS = 2 * 60_000;
const MACHINE_TIMEOUT_MS = 20 * 60_000; // three minutes where nothing else runs

/**
 * Answers what the programs said: `cases`, each with name, ok, why, and skip where it was not tried; `programs`, each with the status it ended
 * with; what the kernel wrote on its `console`; and the `bar`, all that ivshmem's memory holds in the end.
 */
export async function runCases(kernel, account = "lab") {
  mkdirSync(BUNDLES, { recursive: true });
  const folder = mkdtempSync(join(BUNDLES, "lab-"));
  chmodSync(folder, 0o755); // for the ordinary user inside
  try {
    const proofs = account === "lab" ? await compileProofs(kernel, folder) : [];
    const programs = [...proofs, ...(await bundleCases(CASES[account], folder))];
    await addTools(folder);
    const { slowness, stressSeconds } = KERNELS[kernel];
    const tools = Object.fromEntries(Object.entries(TOOLS).map(([name, tool]) => [name, join(folder, tool)]));
    const env = {
      ...tools,
      LENDBUF_CONTRACT: folder,
      LENDBUF_STRESS_SECONDS: stressSeconds,
      LENDBUF_LAB_SLOWNESS: slowness,
    };
    const reporter = join(folder, "reporter.mjs");
    copyFileSync(join(ROOT, "lab/guest/reporter.mjs"), reporter);
    const bar = join(folder, "bar");
    const lines = [];
    const command = ["/bin/sh", join(ROOT, "lab/guest/run-programs"), reporter, ...programs];
    const { console } = await bootMachine({
      ...{ kernel, account, command, env, bar, files: [folder], timeoutMs: slowness * MACHINE_TIMEOUT_MS },
      niceness: 10, // other tests run meanwhile, by the clock
      onLine: (line) => lines.push(line),
    }).catch((error) => {
      throw new Error(`${error.message}\nThe programs said:\n${lines.join("\n")}`, { cause: error });
    });
    const said = lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
    return {
      cases: said.filter(({ name }) => name !== undefined),
      programs: said.filter(({ program }) => program !== undefined),
      unexplained: lines.filter((line) => !line.startsWith("{")),
      console,
      bar: readFileSync(bar),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** The programs' bytes, once they were compiled: every machine gets the same. */
const compiledTools = new Map();

async function addTools(folder) {
  for (const [tool, bytes] of compiledTools) writeFileSync(join(folder, tool), bytes, { mode: 0o755 });
  if (compiledTools.size > 0) return;
  await must("lab tools", [process.execPath, join(ROOT, BUILD_TOOLS), folder], { timeoutMs: COMPILE_TIMEOUT_MS });
  await must("lab clients", [process.execPath, join(ROOT, MAKE_PROGRAMS), folder], { timeoutMs: COMPILE_TIMEOUT_MS });
  for (const tool of [...Object.values(TOOLS), ...CONTRACT]) compiledTools.set(tool, readFileSync(join(folder, tool)));
}

/** Static, so that they run whatever the machine shows of this host. */
async function compileProofs(kernel, folder) {
  const include = join(await makeStockKernel(), "include"); // ours may be older than the interfaces
  return Promise.all(
    KERNELS[kernel].proofs.map(async (name) => {
      const program = join(folder, name);
      const flags = ["-O1", "-Wall", "-Wextra", "-Werror", "-static", "-pthread", "-isystem", include];
      const source = join(ROOT, "lab/proofs", `${name}.c`);
      await must(`lab proof ${name}`, ["cc", ...flags, "-o", program, source], { timeoutMs: COMPILE_TIMEOUT_MS });
      return program;
    }),
  );
}

async function bundleCases(from, folder) {
  const cases = readdirSync(join(ROOT, from)).filter((name) => name.endsWith(".ts"));
  return Promise.all(
    cases.map(async (name) => {
      const outfile = join(folder, `${basename(name, ".ts")}.mjs`);
      await bundle({
        entry: pathToFileURL(join(ROOT, from, name)),
        outfile: pathToFileURL(outfile),
        sourcemap: "inline",
      });
      return outfile;
    }),
  );
}

// The lab kernel: Debian's newest sources that our patch applies to, with our patch and our configuration.
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { BootstrapFailed, say } from "../../scripts/bootstrap.mjs";
import { LAB_TOOLS, requireTools } from "../../scripts/requirements.mjs";
import { ROOT, runStep } from "../../scripts/step.mjs";
import { cached, putIntoCache } from "../cache.mjs";
import { must } from "../must.mjs";
import { openSuite } from "../packages.mjs";

const CONFIG = fileURLToPath(new URL("lab.config", import.meta.url));
const PATCH = fileURLToPath(new URL("dma-buf-revoke.patch", import.meta.url));
const STEP_TIMEOUT_MS = 5 * 60_000;
const BUILD_TIMEOUT_MS = 40 * 60_000;
const PROGRESS_MS = 30_000;

/** The folder with `bzImage`, `config` and `version` in the cache, if it was built. Needs no network. */
export function findLabKernel() {
  return cached("kernel-")
    .filter((folder) => existsSync(join(folder, "version")))
    .findLast((folder) => basename(folder) === nameOf(readFileSync(join(folder, "version"), "utf8")));
}

/** Answers the same folder; builds the kernel where it must, about ten minutes on two cores. */
export function makeLabKernel() {
  return putIntoCache("lab", findLabKernel, build);
}

/** Its inputs are its name, so a change of any of them makes another one. */
function nameOf(version) {
  const inputs = [readFileSync(CONFIG), readFileSync(PATCH), version].map((input) => `${input.length}\n${input}`);
  return `kernel-${createHash("sha256").update(inputs.join("")).digest("hex")}`;
}

async function build(work) {
  requireTools(LAB_TOOLS);
  const { version, tree } = await patchedSources(work);
  say(`Building the lab kernel ${version} (once, about ten minutes on two cores)…`);
  await configure(tree);
  await compile(tree);
  const result = join(work, "result");
  copyFileSync(join(tree, "arch/x86/boot/bzImage"), join(result, "bzImage"));
  copyFileSync(join(tree, ".config"), join(result, "config"));
  writeFileSync(join(result, "version"), version);
  return nameOf(version);
}

async function patchedSources(work) {
  const suite = await openSuite(work);
  const offers = (await suite.find(/^linux-source-\d+\.\d+$/)).reverse();
  for (const offer of offers) {
    say(`Fetching the sources of Linux ${offer.version} for the lab kernel…`);
    const tree = await unpackSources(suite, offer, work);
    const patched = await runStep("lab patch", ["patch", "--forward", "-p1", "-i", PATCH], {
      timeoutMs: STEP_TIMEOUT_MS,
      cwd: tree,
    });
    if (patched.ok) return { version: offer.version, tree };
    say(`lab/kernel/dma-buf-revoke.patch does not apply to Linux ${offer.version}. See ${patched.logFile}`);
    rmSync(tree, { recursive: true });
  }
  const tried = offers.map(({ version }) => version).join(", ") || "none";
  throw new BootstrapFailed(
    `The lab kernel cannot be built: lab/kernel/dma-buf-revoke.patch applies to no kernel that Debian offers now (${tried}). ` +
      "Adapt it to the newest, or copy the folder lendbuf/lab of another machine's ~/.cache here.",
  );
}

async function unpackSources(suite, offer, work) {
  await suite.unpack(offer, work);
  const archive = join(work, "usr/src", `${offer.name}.tar.xz`);
  await must("lab unpack sources", ["tar", "-C", work, "-xf", archive], { timeoutMs: STEP_TIMEOUT_MS });
  rmSync(archive);
  const tree = join(work, "linux");
  renameSync(join(work, offer.name), tree);
  return tree;
}

async function configure(tree) {
  const commands = [
    ["make", "tinyconfig"],
    ["scripts/kconfig/merge_config.sh", "-m", ".config", CONFIG],
    ["make", "olddefconfig"],
  ];
  for (const command of commands) {
    await must(`lab ${basename(command[0])}`, command, { timeoutMs: STEP_TIMEOUT_MS, cwd: tree });
  }
  const got = new Set(readFileSync(join(tree, ".config"), "utf8").split("\n"));
  const lost = readFileSync(CONFIG, "utf8")
    .split("\n")
    .filter((line) => line.endsWith("=y") && !got.has(line));
  if (lost.length > 0) {
    throw new BootstrapFailed(`These lines of lab/kernel/lab.config do not hold in this kernel: ${lost.join(", ")}`);
  }
}

async function compile(tree) {
  const started = performance.now();
  const log = join(ROOT, ".cache/logs/lab-make.log");
  const progress = setInterval(() => {
    const files = readFileSync(log, "utf8").split("\n").length;
    say(`  the lab kernel: ${files} steps, ${Math.round((performance.now() - started) / 1000)} s…`);
  }, PROGRESS_MS);
  const command = ["nice", "make", `-j${availableParallelism()}`, "bzImage"];
  const env = { KBUILD_BUILD_USER: "lendbuf", KBUILD_BUILD_HOST: "lab", LOCALVERSION: "-lendbuf" };
  await must("lab make", command, { timeoutMs: BUILD_TIMEOUT_MS, cwd: tree, env }).finally(() =>
    clearInterval(progress),
  );
}

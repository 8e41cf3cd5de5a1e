// The lab kernel, and the same with the kernel's own checks: Debian's newest sources that our patch applies to, with our patch and our configuration.
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

const [LAB, DEBUG, PATCH] = ["lab.config", "debug.config", "dma-buf-revoke.patch"].map((name) =>
  fileURLToPath(new URL(name, import.meta.url)),
);
const STEP_TIMEOUT_MS = 5 * 60_000;
const BUILD_TIMEOUT_MS = 40 * 60_000;
const PROGRESS_MS = 30_000;

export const LAB_KERNEL = builtWith({ kind: "lab", prefix: "kernel-", configs: [LAB], minutes: "ten" });
export const DEBUG_KERNEL = builtWith({ kind: "debug", prefix: "debug-", configs: [LAB, DEBUG], minutes: "fifteen" });

/**
 * `find` answers the folder with `bzImage`, `config` and `version` in the cache, if it was built, and needs no network; `make` answers the same
 * folder, and builds the kernel where it must.
 */
function builtWith(kernel) {
  const find = () =>
    cached(kernel.prefix)
      .filter((folder) => existsSync(join(folder, "version")))
      .findLast((folder) => basename(folder) === nameOf(kernel, readFileSync(join(folder, "version"), "utf8")));
  return { find, make: () => putIntoCache(kernel.kind, find, (work) => build(kernel, work)) };
}

/** Its inputs are its name, so a change of any of them makes another one. */
function nameOf({ prefix, configs }, version) {
  const inputs = [...configs.map((file) => readFileSync(file)), readFileSync(PATCH), version];
  const hash = createHash("sha256").update(inputs.map((input) => `${input.length}\n${input}`).join(""));
  return `${prefix}${hash.digest("hex")}`;
}

async function build(kernel, work) {
  requireTools(LAB_TOOLS);
  const { version, tree } = await patchedSources(work);
  say(`Building the ${kernel.kind} kernel ${version} (once, about ${kernel.minutes} minutes on two cores)…`);
  await configure(kernel, tree);
  await compile(kernel, tree);
  const result = join(work, "result");
  copyFileSync(join(tree, "arch/x86/boot/bzImage"), join(result, "bzImage"));
  copyFileSync(join(tree, ".config"), join(result, "config"));
  writeFileSync(join(result, "version"), version);
  return nameOf(kernel, version);
}

async function patchedSources(work) {
  const suite = await openSuite(work);
  const offers = (await suite.find(/^linux-source-\d+\.\d+$/)).reverse();
  for (const offer of offers) {
    const tree = await unpackSources(await fetchSources(suite, offer), work);
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

/** The archive stays in the cache, for the other kernel and for the next change of the patch. */
async function fetchSources(suite, { name, version }) {
  const folder = `sources-${version}`;
  const archive = `${name}.tar.xz`;
  const find = () => cached(folder).find((made) => basename(made) === folder);
  const made = await putIntoCache("sources", find, async (work) => {
    say(`Fetching the sources of Linux ${version} (once, 160 MB)…`);
    await suite.unpack({ name, version }, work);
    renameSync(join(work, "usr/src", archive), join(work, "result", archive));
    return folder;
  });
  return join(made, archive);
}

async function unpackSources(archive, work) {
  await must("lab unpack sources", ["tar", "-C", work, "-xf", archive], { timeoutMs: STEP_TIMEOUT_MS });
  const tree = join(work, "linux");
  renameSync(join(work, basename(archive, ".tar.xz")), tree);
  return tree;
}

async function configure({ configs }, tree) {
  const commands = [
    ["make", "tinyconfig"],
    ["scripts/kconfig/merge_config.sh", "-m", ".config", ...configs],
    ["make", "olddefconfig"],
  ];
  for (const command of commands) {
    await must(`lab ${basename(command[0])}`, command, { timeoutMs: STEP_TIMEOUT_MS, cwd: tree });
  }
  const got = new Set(readFileSync(join(tree, ".config"), "utf8").split("\n"));
  const wanted = configs.flatMap((file) => readFileSync(file, "utf8").split("\n"));
  const lost = wanted.filter((line) => line.endsWith("=y") && !got.has(line));
  if (lost.length > 0) {
    const names = configs.map((file) => `lab/kernel/${basename(file)}`).join(" and ");
    throw new BootstrapFailed(`These lines of ${names} do not hold in this kernel: ${lost.join(", ")}`);
  }
}

async function compile({ kind }, tree) {
  const started = performance.now();
  const log = join(ROOT, `.cache/logs/${kind}-make.log`);
  const progress = setInterval(() => {
    const files = readFileSync(log, "utf8").split("\n").length;
    say(`  the ${kind} kernel: ${files} steps, ${Math.round((performance.now() - started) / 1000)} s…`);
  }, PROGRESS_MS);
  const command = ["nice", "make", `-j${availableParallelism()}`, "bzImage"];
  const env = { KBUILD_BUILD_USER: "lendbuf", KBUILD_BUILD_HOST: "lab", LOCALVERSION: "-lendbuf" };
  await must(`${kind} make`, command, { timeoutMs: BUILD_TIMEOUT_MS, cwd: tree, env }).finally(() =>
    clearInterval(progress),
  );
}

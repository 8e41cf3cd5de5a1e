// Brings a checkout to where it can run: tools checked, dependencies installed, everything built. Each part does nothing where nothing changed.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { alone } from "./alone.mjs";
import { MissingRequirement, requireNode, requireTools } from "./requirements.mjs";
import { ROOT, runStep, tail } from "./step.mjs";

const PLATFORM = `${process.platform} ${process.arch} ABI ${process.versions.modules}`;
const STAMP = "node_modules/.lendbuf-platform";
const INSTALL_TIMEOUT_MS = 15 * 60_000;
const BUILD_TIMEOUT_MS = 15 * 60_000;

export class BootstrapFailed extends Error {}

/** Throws MissingRequirement or BootstrapFailed, whose message is all that the reader needs. */
export async function bootstrap() {
  requireNode();
  requireTools();
  await install();
  await build();
}

/** Does what it is given; where that fails for a reason that a person can mend, says it and exits. */
export async function orExplain(work) {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof MissingRequirement || error instanceof BootstrapFailed)) throw error;
    say(error.message);
    process.exit(1);
  }
}

/** What a script says of its progress: stdout belongs to what it runs. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

export function install() {
  return aloneHere(async () => {
    if (!isInstalled()) {
      say("Installing dependencies (once)…");
      // --include=dev: also where NODE_ENV is "production", for the build's tools are among them.
      const command = ["npm", "ci", "--include=dev", "--prefer-offline", "--loglevel=error"];
      await must("npm ci", command, INSTALL_TIMEOUT_MS);
    }
    writeFileSync(join(ROOT, STAMP), PLATFORM);
  });
}

export function build() {
  return aloneHere(async () => {
    const command = [join(ROOT, "node_modules/.bin/turbo"), "run", "build", "--output-logs=errors-only"];
    const late = setTimeout(() => say("Building…"), 400);
    await must("build", command, BUILD_TIMEOUT_MS).finally(() => clearTimeout(late));
  });
}

/** Whether node_modules is what package-lock.json asks for, and was made for this platform. */
export function isInstalled(root = ROOT, platform = PLATFORM) {
  const stamp = join(root, STAMP);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") !== platform) return false;
  const installed = lockedPackages(join(root, "node_modules/.package-lock.json"));
  const wanted = lockedPackages(join(root, "package-lock.json"));
  return Object.entries(wanted).every(
    // npm records what it installed; packages for other platforms are left out.
    ([path, entry]) =>
      path === "" ||
      isDeepStrictEqual(installed[path], entry) ||
      ((entry.optional || entry.devOptional) && !installed[path]),
  );
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(file, "utf8")).packages;
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

async function must(name, command, timeoutMs) {
  const step = await runStep(name, command, { timeoutMs });
  if (step.ok) return;
  throw new BootstrapFailed(
    `${tail(step.log)}\n\n"${command.join(" ")}" ${step.problem}. Its whole output: ${step.logFile}`,
  );
}

/** Two at once in one checkout would install and build over each other. */
function aloneHere(work) {
  return alone(`bootstrap ${ROOT}`, work, () => say("Waiting: another process installs or builds in this checkout…"));
}

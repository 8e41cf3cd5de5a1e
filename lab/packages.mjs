// Debian's packages for the lab, from the mirror that this machine uses anyway. They are unpacked into a folder; nothing is installed.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { BootstrapFailed } from "../scripts/bootstrap.mjs";
import { byVersion } from "./cache.mjs";
import { must } from "./must.mjs";

const SUITE = "trixie-backports"; // the oldest suite whose kernels export VFIO's dma-bufs
const KEYS = "/usr/share/keyrings/debian-archive-keyring.gpg";
const LIST_TIMEOUT_MS = 2 * 60_000;
const DOWNLOAD_TIMEOUT_MS = 10 * 60_000;

/** The packages of the suite, as of now. apt keeps its lists in a folder below `parent`. */
export async function openSuite(parent) {
  const folder = join(parent, "apt");
  const lists = join(folder, "lists");
  const archives = join(folder, "archives");
  for (const made of [lists, archives]) mkdirSync(join(made, "partial"), { recursive: true });
  const sources = join(folder, "sources.list");
  writeFileSync(sources, (await mirrors()).map((uri) => `deb [signed-by=${KEYS}] ${uri} ${SUITE} main\n`).join(""));
  const apt = [
    ...["-o", `Dir::Etc::SourceList=${sources}`, "-o", "Dir::Etc::SourceParts=/dev/null"],
    ...["-o", `Dir::State::Lists=${lists}`, "-o", `Dir::Cache=${folder}`, "-o", `Dir::Cache::Archives=${archives}`],
    ...(process.getuid() === 0 ? ["-o", "APT::Sandbox::User=root"] : []), // apt's own user may not enter the folder
  ];
  // The file's own mirror of a list that cannot be had is no error, as long as one answers.
  await must("lab apt update", ["apt-get", ...apt, "update"], { timeoutMs: LIST_TIMEOUT_MS, env: { LC_ALL: "C" } });
  return {
    /** The packages whose name matches, as `{ name, version }`, newest last. */
    find: (pattern) => find(apt, pattern),
    unpack: (wanted, into) => unpack(apt, wanted, into),
  };
}

async function mirrors() {
  const command = ["apt-get", "indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian"];
  const answer = await must("lab mirrors", command, { timeoutMs: LIST_TIMEOUT_MS });
  const found = new Set(answer.split("\n").filter((uri) => uri && !/security/.test(uri)));
  if (found.size > 0) return [...found];
  throw new BootstrapFailed(
    "The lab's kernels come from Debian's packages, and apt knows no mirror of Debian here. Add one to /etc/apt, or " +
      "copy the folder lendbuf/lab of another machine's ~/.cache here.",
  );
}

async function find(apt, pattern) {
  const prefix = pattern.source.match(/^\^([\w-]+)/)[1];
  const names = await must("lab apt names", ["apt-cache", ...apt, "pkgnames", prefix], { timeoutMs: LIST_TIMEOUT_MS });
  const matching = names.split("\n").filter((name) => pattern.test(name));
  if (matching.length === 0) return [];
  const table = await must("lab apt versions", ["apt-cache", ...apt, "madison", ...matching], {
    timeoutMs: LIST_TIMEOUT_MS,
  });
  const rows = table.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
  const found = rows.filter((row) => row.length === 3).map(([name, version]) => ({ name, version }));
  return found.sort((a, b) => byVersion(a.version, b.version));
}

async function unpack(apt, { name, version }, into) {
  const folder = mkdtempSync(join(into, "package-"));
  const download = ["apt-get", ...apt, "download", `${name}=${version}`];
  await must(`lab download ${name}`, download, { timeoutMs: DOWNLOAD_TIMEOUT_MS, cwd: folder });
  const [deb] = readdirSync(folder);
  await must(`lab unpack ${name}`, ["dpkg-deb", "-x", join(folder, deb), into], { timeoutMs: DOWNLOAD_TIMEOUT_MS });
  rmSync(folder, { recursive: true });
}

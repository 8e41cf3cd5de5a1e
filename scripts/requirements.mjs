// What must be on this machine, and the command that brings it. Runs on any Node that knows ES modules, before anything is installed.
import { accessSync, constants, existsSync, readFileSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";

const OLDEST_NODE = [20, 19];

/** Without these nothing can be built. */
export const BUILD_TOOLS = [
  { command: process.env.CXX || "g++", package: "g++", why: "the addon and the warden are C++" },
  { command: "make", package: "make", why: "node-gyp drives it" },
  { command: "python3", package: "python3", why: "node-gyp is written in it" },
];

/** Without one of these a check or some tests are skipped. `npm test` installs them where it may. */
export const TEST_TOOLS = [
  { command: "clang-format", package: "clang-format", why: "the format of the C++ is checked" },
  { command: "mypy", package: "mypy", why: "the types of the Python client are checked" },
  { command: "/usr/bin/chromium", package: "chromium", why: "the dashboard is tried in a real browser" },
  { command: "openssl", package: "openssl", why: "the door over TLS is tried with certificates" },
  { command: "pkg-config", package: "pkg-config", why: "the C client is compiled as its users do it" },
  { header: "infiniband/verbs.h", package: "libibverbs-dev", why: "the C client's RDMA example is compiled" },
];

/** The lab machine and what its kernel is built with (lab/README.md). */
export const LAB_TOOLS = [
  { command: "qemu-system-x86_64", package: "qemu-system-x86", why: "it is the lab machine" },
  { command: "busybox", package: "busybox-static", why: "it is the lab machine's first process" },
  { command: "cpio", package: "cpio", why: "it packs what the lab machine starts from" },
  { command: "apt-get", package: "apt", why: "the lab's kernels come from Debian's packages" },
  { command: "dpkg-deb", package: "dpkg", why: "it unpacks Debian's packages" },
  { command: "xz", package: "xz-utils", why: "it unpacks Debian's kernel modules and sources" },
  ...[
    { command: "flex", package: "flex" },
    { command: "bison", package: "bison" },
    { command: "bc", package: "bc" },
    { command: "patch", package: "patch" },
    { header: "libelf.h", package: "libelf-dev" },
    { header: "openssl/ssl.h", package: "libssl-dev" },
  ].map((tool) => ({ ...tool, why: "the lab's kernel is built with it" })),
];

export class MissingRequirement extends Error {}

export function requireNode(version = process.versions.node, platform = process.platform) {
  if (platform !== "linux") {
    throw new MissingRequirement(`Lendbuf runs on Linux; this is ${platform}. It needs memfds, DMABUFs and VFIO.`);
  }
  const [major, minor] = version.split(".").map(Number);
  if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
    throw new MissingRequirement(
      `Lendbuf needs Node ${OLDEST_NODE.join(".")} or newer; this is ${version} (${process.execPath}). ` +
        "Debian 13 has it: sudo apt-get install nodejs npm. Elsewhere take a newer Node from your distribution or from its authors.",
    );
  }
}

export function requireTools(tools = BUILD_TOOLS, path = process.env.PATH) {
  const missing = tools.filter((tool) => !isHere(tool, path));
  if (missing.length === 0) return;
  const reasons = missing.map((tool) => `  ${tool.command ?? tool.header} is missing: ${tool.why}.`);
  const bring = `sudo apt-get install ${missing.map((tool) => tool.package).join(" ")}`;
  throw new MissingRequirement(`${reasons.join("\n")}\nOn Debian and its kin this brings what is missing:\n  ${bring}`);
}

export function isHere({ command, header }, path = process.env.PATH) {
  return header ? existsSync(join("/usr/include", header)) : findCommand(command, path) !== undefined;
}

/** The file that a command's name (or path, or name with arguments) stands for. */
export function findCommand(command, path = process.env.PATH) {
  const name = command.trim().split(/\s+/)[0];
  const candidates = name.includes("/") ? [name] : (path ?? "").split(delimiter).map((folder) => join(folder, name));
  return candidates.find(isExecutableFile);
}

/** Whether we may and can install packages without asking: root on Debian or its kin. */
export function canInstallPackages() {
  return process.getuid() === 0 && findCommand("apt-get") !== undefined && isDebian();
}

function isDebian() {
  try {
    return /^ID(_LIKE)?=.*\b(debian|ubuntu)\b/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

function isExecutableFile(path) {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

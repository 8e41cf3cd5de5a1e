// What must not stand in a file that others get: traces of this machine, tests that shut out all others, loose ends that nobody owns.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import { dirname, extname, join } from "node:path";
import { fileURLToPath } from "node:url";

const CODE = new Set([".ts", ".tsx", ".mts", ".mjs", ".js", ".cc", ".c", ".h", ".py", ".css"]);
// Folders that stand on every machine: their names say nothing about this one.
const COMMON_FOLDERS = new Set(["/", "/home", "/mnt", "/opt", "/srv", "/tmp", "/usr/src", "/var/tmp"]);
const OWN_FILES = /^scripts\/check-hygiene\./;

const CODE_RULES = [
  { pattern: /\b(describe|it|test)\.only\(/, advice: "This test shuts out all others. Remove .only" },
  { pattern: /\b(TODO|FIXME|XXX)\b(?!.*#\d+)/, advice: "Do it now, or name the issue that will (#123)" },
];
const TEXT_RULES = [{ pattern: /^(<{7}|>{7}) /, advice: "A merge was not finished here" }];

/** Each problem is a line for people: `files` maps a path to its text, `machine` is what thisMachine() answers. */
export function checkHygiene(files, machine) {
  const everywhere = [...TEXT_RULES, ...machine.folders.map(folderRule), ...machine.registryHosts.map(hostRule)];
  return Object.entries(files).flatMap(([file, text]) => {
    const isLock = file.endsWith("package-lock.json");
    const rules =
      OWN_FILES.test(file) || isLock ? [] : CODE.has(extname(file)) ? [...everywhere, ...CODE_RULES] : everywhere;
    return text
      .split("\n")
      .flatMap((line, index) => broken(rules, line).map((advice) => `${file}:${index + 1}: ${advice}.`));
  });
}

function broken(rules, line) {
  return rules.filter(({ pattern }) => pattern.test(line)).map(({ advice }) => advice);
}

function folderRule(folder) {
  const pattern = new RegExp(`(?<![\\w.-])${literal(folder)}(/|$)`);
  return {
    pattern,
    advice: `${folder} is a folder of one machine. Use a path relative to the file or to the checkout`,
  };
}

function hostRule(host) {
  return {
    pattern: new RegExp(`(?<![\\w.-])${literal(host)}`),
    advice: `${host} is this machine's registry. Let each machine use its own`,
  };
}

function literal(text) {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

/** The folders that this checkout and its user live in, and the hosts that packages come from here. */
export function thisMachine(root) {
  const folders = [root, dirname(root), userInfo().homedir].map((folder) => folder.replace(/(?<=.)\/$/, ""));
  const addresses = [
    answer("npm", ["config", "get", "registry"]),
    answer("apt-get", ["indextargets", "--format", "$(SITE)"]),
  ];
  const hosts = addresses.join("\n").matchAll(/^[a-z]+:\/\/(?:[^@/\n]*@)?([^/:\n]+)/gm);
  return {
    folders: [...new Set(folders)].filter((folder) => !COMMON_FOLDERS.has(folder)),
    registryHosts: [...new Set([...hosts].map(([, host]) => host))],
  };
}

function answer(command, args) {
  try {
    return execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 20_000 });
  } catch {
    return ""; // no such package manager here, so none of its hosts
  }
}

function readTracked(root) {
  const listing = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], {
    cwd: root,
    encoding: "utf8",
  });
  const paths = [...new Set(listing.split("\0"))].filter((path) => path !== "");
  return Object.fromEntries(paths.flatMap((path) => readText(root, path)));
}

function readText(root, path) {
  try {
    const text = readFileSync(join(root, path), "utf8");
    return text.includes("\0") ? [] : [[path, text]];
  } catch (error) {
    if (error.code === "ENOENT" || error.code === "EISDIR") return []; // deleted and not yet committed, or a submodule
    throw error;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const problems = checkHygiene(readTracked(root), thisMachine(root));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

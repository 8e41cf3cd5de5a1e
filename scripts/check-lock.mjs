// Whether `npm ci` will work everywhere: npm silently leaves out platform packages that it could not resolve, and records whence it took the rest.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { isDeepStrictEqual } from "node:util";

const DEPENDENCY_KINDS = ["dependencies", "devDependencies", "optionalDependencies", "peerDependencies"];

/** Each problem is a line for people. Reads the installed packages too. */
export function checkLock(root) {
  const { packages } = readJson(join(root, "package-lock.json"));
  const entries = Object.entries(packages);
  const workspaces = entries.filter(([path, entry]) => !path.includes("node_modules") && !entry.link);
  const names = new Set(entries.map(([path]) => path.split("node_modules/").at(-1)));
  return [
    ...workspaces.flatMap(([path, entry]) => staleKinds(root, path, entry)),
    ...entries.flatMap(([path]) => missingOptional(root, path, names)),
    ...entries.filter(([, entry]) => /^https?:/.test(entry.resolved ?? "")).map(describeResolved),
  ];
}

function staleKinds(root, path, entry) {
  const manifest = readJson(join(root, path, "package.json"));
  return DEPENDENCY_KINDS.filter((kind) => !isDeepStrictEqual(manifest[kind] ?? {}, entry[kind] ?? {})).map(
    (kind) => `${join(path, "package.json")}: its ${kind} are not those in package-lock.json. Run: npm install`,
  );
}

function missingOptional(root, path, names) {
  const manifest = path.includes("node_modules") ? readInstalled(join(root, path, "package.json")) : {};
  return Object.keys(manifest.optionalDependencies ?? {})
    .filter((name) => !names.has(name))
    .map(
      (name) =>
        `package-lock.json: ${manifest.name}@${manifest.version} needs ${name} on some platform, and the lock file lacks it. ` +
        "Pin a version whose platform packages all exist, delete node_modules and package-lock.json, run npm install.",
    );
}

function describeResolved([path, entry]) {
  return (
    `package-lock.json: ${path} is tied to ${entry.resolved}. ` +
    "Run npm install with --omit-lockfile-registry-resolved, so that each machine may use the registry it has."
  );
}

// Packages for other platforms are in the lock file, not on the disk.
function readInstalled(file) {
  try {
    return readJson(file);
  } catch (error) {
    if (error.code === "ENOENT") return {};
    throw error;
  }
}

function readJson(file) {
  return JSON.parse(readFileSync(file, "utf8"));
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const problems = checkLock(fileURLToPath(new URL("..", import.meta.url)));
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
}

// What the machine gets of this host where it cannot see the host's files: Node, what was built here, and the libraries of both.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { ROOT } from "../scripts/step.mjs";

const BUILT = ["apps/agent/dist", "apps/cli/dist", "apps/web/dist", "packages/native/build/Release", "lab/guest"];
const UNBUNDLED = ["libsql", "@node-rs/argon2"]; // scripts/bundle.mjs leaves them where they are
const ELF = Buffer.from("\x7fELF", "latin1");

/** Entries of an archive, below guest/; `more` are folders of the checkout that belong to it too. */
export function guestFiles(more) {
  const folders = [
    ...BUILT.map((folder) => join(ROOT, folder)),
    ...UNBUNDLED.flatMap((name) => packageFolders(name, ROOT)),
    ...more,
  ];
  const files = [process.execPath, "/etc/hosts", ...folders.flatMap(filesOf)].filter((file) => existsSync(file));
  const libraries = new Set(files.filter(isProgram).flatMap(librariesOf));
  return {
    ...Object.fromEntries([...files, ...libraries].map((file) => [`guest${file}`, entryOf(file)])),
    "guest/bin/sh": { link: "/lab/busybox" },
    "guest/etc/passwd": { content: "" },
    "guest/etc/group": { content: "" },
  };
}

export function entryOf(file) {
  return { content: readFileSync(file), executable: (statSync(file).mode & 0o111) !== 0 };
}

/** The shared objects that a program is loaded with, under the names by which it asks for them; none where it is static. */
export function librariesOf(file) {
  try {
    const answer = execFileSync("ldd", [file], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    return [...answer.matchAll(/(\/\S+) \(0x/g)].map(([, path]) => path);
  } catch {
    return [];
  }
}

function filesOf(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.name.startsWith("obj.") || entry.name === ".deps" || entry.name.endsWith(".map")) return [];
    return entry.isDirectory() ? filesOf(path) : [path];
  });
}

/** A package's folder and those of what it depends on, where Node would find them from `from`. */
function packageFolders(name, from) {
  const folder = resolve(name, from);
  if (!folder) return [];
  const { dependencies, optionalDependencies } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const further = Object.keys({ ...dependencies, ...optionalDependencies });
  return [folder, ...further.flatMap((next) => packageFolders(next, folder))];
}

function resolve(name, from) {
  const here = join(from, "node_modules", name);
  if (existsSync(here)) return here;
  return from === "/" ? undefined : resolve(name, dirname(from));
}

function isProgram(file) {
  return readFileSync(file).subarray(0, ELF.length).equals(ELF);
}
